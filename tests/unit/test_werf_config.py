"""The config as a text: stable bytes, plain where it can be, and escaped where users write."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.errors import ConfigError
from orchestrator.model import ModuleName
from orchestrator.module import ImageKind, ImageSource, Module
from orchestrator.shape import Shape
from orchestrator.templating import documents
from orchestrator.werf_config import Sources, collect, make
from tests.harness import Directory

FRAGMENT = "image: a\nfrom: {{ .GOPROXY }}{{ .X }}\n"


def sources(*images: tuple[str, ImageKind], **more: Any) -> Sources:
    made = tuple(
        ImageSource(name=name, directory=f"images/{name}", kind=kind) for name, kind in images
    )
    module = Module(name=ModuleName("echo"), definition={}, images=made)
    fragments = {i.file: FRAGMENT for i in made if i.kind is ImageKind.STAPEL}
    usual: dict[str, Any] = {"module": module, "shape": Shape(), "args": {}, "values": {}}
    return Sources(**{**usual, "fragments": fragments, **more})


def test_dockerfile_images_are_plain_yaml() -> None:
    images = (("b", ImageKind.DOCKERFILE), ("a", ImageKind.DOCKERFILE))
    args = {"BASE": "r.io/a:1", "A": "yes"}
    text = make(sources(*images, args=args)).text
    assert "{{" not in text
    meta, first, second = (yaml.safe_load(part) for part in documents(text))
    assert meta == {"project": "echo", "configVersion": 1}
    assert first == {"image": "a", "context": "images/a", "dockerfile": "Dockerfile", "args": args}
    assert second["image"] == "b"
    assert text == make(sources(*images, args=dict(reversed(args.items())))).text


def test_fragments_are_included_by_werf_with_what_they_use_only() -> None:
    config = make(sources(("a", ImageKind.STAPEL), values={"X": 'q"'}))
    assert '{{ tpl (.Files.Get "images/a/werf.inc.yaml") $context }}' in config.text
    assert '{{- $_ := set . "X" "q\\"" }}' in config.text
    assert '(env "GOPROXY" "https://proxy.golang.org,direct")' in config.text
    assert "SOURCE_REPO" not in config.text
    rendering = config.giterminism["config"]["goTemplateRendering"]
    assert rendering == {"allowEnvVariables": ["GOPROXY"]}


def test_values_override_what_fragments_get_by_default() -> None:
    config = make(sources(("a", ImageKind.STAPEL), values={"GOPROXY": "off"}))
    assert '{{- $_ := set . "GOPROXY" "off" }}' in config.text
    assert "goTemplateRendering" not in config.giterminism["config"]


def test_options_of_dockerfile_images() -> None:
    shape = Shape(project="other", staged=True, image_spec="clean")
    dockerfiles = {"images/a/Dockerfile": "RUN --mount=type=ssh true\n"}
    text = make(sources(("a", ImageKind.DOCKERFILE), shape=shape, dockerfiles=dockerfiles)).text
    meta, image = (yaml.safe_load(part) for part in documents(text))
    assert meta["project"] == "other" and meta["build"]["imageSpec"]["clearHistory"] is True
    assert (image["staged"], image["ssh"]) == (True, "default")


def test_a_map_of_base_images_may_be_uncommitted(tmp_path: Path) -> None:
    (tmp_path / "tree/images/a").mkdir(parents=True)
    (tmp_path / "tree/images/a/werf.inc.yaml").write_text("image: a\nfromImage: base/x\n")
    (tmp_path / "base_images.yml").write_text(
        f"REGISTRY_PATH: r.io/base\nbase/x: sha256:{'1' * 64}\nbase/y: sha256:{'2' * 64}\n"
    )
    image = ImageSource(name="a", directory="images/a", kind=ImageKind.STAPEL)
    module = Module(name=ModuleName("echo"), definition={}, images=(image,))
    tree = Directory(tmp_path / "tree")
    found = collect(tree, tmp_path, module, Shape(), args={}, values={})
    text = make(found).text
    assert f'image: base/x\nfrom: "r.io/base@sha256:{"1" * 64}"\nfinal: false\n' in text
    assert "base/y" not in text
    with pytest.raises(ConfigError, match="map of base images is not there"):
        collect(tree, tmp_path, module, Shape(base_images=("no.yml",)), args={}, values={})
