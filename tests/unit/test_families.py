"""Modules shaped as public ones are give the images, keys, files and permissions that those have."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator import bundle, giterminism, module, settings, werf_config
from orchestrator.artifacts import image_keys
from orchestrator.errors import ConfigError
from orchestrator.shape import Shape
from tests.harness import ROOT, Directory

FAMILIES = ROOT / "tests" / "data" / "families"
EXPECTED = yaml.safe_load((FAMILIES / "expected.yaml").read_text())
RECORDED = FAMILIES / "rendered"


class Family:
    def __init__(self, name: str, **changes: Any) -> None:
        self.directory = FAMILIES / name
        self.tree = Directory(self.directory)
        found, findings = settings.read({}, {}, settings.read_file(self.directory))
        assert not findings
        self.shape = Shape.of(found)
        if changes:
            self.shape = Shape(
                **{
                    **{n: getattr(self.shape, n) for n in Shape.__dataclass_fields__},
                    **changes,
                }
            )
        self.module = module.load(self.tree, shape=self.shape)
        self.sources = werf_config.collect(
            self.tree,
            self.directory,
            self.module,
            self.shape,
            args=found["build_args"],
            values=found["build_values"],
        )

    def config(self) -> werf_config.WerfConfig:
        return werf_config.make(self.sources)


def documents(rendered: str) -> list[dict[str, Any]]:
    parts = re.split(r"(?m)^---[ \t]*(?:#.*)?$", rendered)
    found = [yaml.safe_load(part) for part in parts if part.strip()]
    return [each for each in found if each]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_images_final_flags_and_keys(name: str) -> None:
    """Of the recorded rendering, which the next test holds to be current."""
    meta, *images = documents((RECORDED / f"{name}.rendered.yaml").read_text())
    assert meta["project"] == Family(name).module.name
    found = {each["image"]: each.get("final") is not False for each in images}
    assert found == EXPECTED[name]["images"]
    final = [image for image, is_final in found.items() if is_final]
    assert sorted(image_keys(final).values()) == EXPECTED[name]["keys"]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_config_is_the_recorded_one(name: str) -> None:
    assert Family(name).config().text == (RECORDED / f"{name}.werf.yaml").read_text()


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_go_renders_it_so(name: str, gorender: Path, tmp_path: Path) -> None:
    family = Family(name)
    config = family.config()
    rendering = config.giterminism["config"].get("goTemplateRendering", {})
    allowed = tmp_path / "allowed"
    allowed.write_text("\n".join(rendering.get("allowEnvVariables", [])))
    done = subprocess.run(
        [gorender, family.directory, allowed],
        input=config.text,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "<no value>" not in done.stdout
    assert documents(done.stdout) == documents((RECORDED / f"{name}.rendered.yaml").read_text())


@pytest.mark.werf
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_werf_renders_it_so(name: str, tmp_path: Path) -> None:
    program = shutil.which("werf")
    if program is None:
        pytest.skip("no werf on PATH")
    family = Family(name)
    config = family.config()
    work = tmp_path / name
    shutil.copytree(family.directory, work)
    (work / giterminism.FILE).write_text(giterminism.text(config.giterminism))
    (work / ".orchestrator").mkdir()
    (work / ".orchestrator/werf.yaml").write_text(config.text)
    (work / ".gitignore").write_text(".orchestrator\n")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=work, check=True
        )
    done = subprocess.run(
        [program, "config", "render", "--config", ".orchestrator/werf.yaml", "--log-quiet"],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert documents(done.stdout) == documents((RECORDED / f"{name}.rendered.yaml").read_text())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_files_of_both_images(name: str) -> None:
    family = Family(name)
    imports = family.sources.hooks.imports
    files = set(bundle.module_files(family.tree.paths(), family.shape, imports))
    files |= {f"{each.target}{'/' if each.target == each.into else ''}*" for each in imports}
    files.add("images_digests.json")
    if family.shape.version_json:
        files.add("version.json")
    if family.shape.release_notes:
        notes = family.tree.read_all(bundle.note_files(family.tree.paths()))
        files |= set(bundle.release_notes(notes))
    assert sorted(files) == EXPECTED[name]["module"]
    release = {*bundle.release_files(family.tree.paths(), family.shape, "v1.0.0"), "version.json"}
    assert sorted(release) == EXPECTED[name]["release"]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_what_giterminism_has_to_allow(name: str) -> None:
    config = Family(name).config().giterminism["config"]
    expected = EXPECTED[name]
    assert config["allowUncommitted"] is True
    assert config.get("goTemplateRendering", {}).get("allowEnvVariables", []) == expected.get(
        "env", []
    )
    secrets = config.get("secrets", {})
    assert secrets.get("allowValueIds", []) == expected.get("secret_values", [])
    assert secrets.get("allowEnvVariables", []) == expected.get("secret_env", [])
    assert secrets.get("allowFiles", []) == expected.get("secret_files", [])
    mount = config.get("stapel", {}).get("mount", {})
    assert mount.get("allowFromPaths", []) == expected.get("mount_paths", [])
    assert mount.get("allowBuildDir", False) is expected.get("build_dir", False)


def test_an_edition_overlays_its_values_and_leaves_files_out() -> None:
    ce = Family("editions", edition="CE")
    files = bundle.module_files(ce.tree.paths(), ce.shape)
    assert files["openapi/values.yaml"] == "openapi/values_ce.yaml"
    assert {path for path in files if path.startswith("templates/")} == {"templates/a.yaml"}
    ee = Family("editions", edition="EE")
    files = bundle.module_files(ee.tree.paths(), ee.shape)
    assert files["openapi/values.yaml"] == "openapi/values.yaml"
    assert "openapi/values_ce.yaml" not in files and "templates/audit/b.yaml" in files


GOLAN = '{{ index $.Images "builder/golan" }}'
FRAGMENT = "images/x/werf.inc.yaml"


@pytest.mark.parametrize(
    ("name", "path", "text", "says"),
    [
        (
            "storage",
            FRAGMENT,
            f"image: x\nfrom: {GOLAN}\n",
            f"{FRAGMENT}:2: base image builder/golan is not in base_images.yml; did you mean b",
        ),
        (
            "storage",
            FRAGMENT,
            'image: x\n{{ include "image mount point" . }}\n',
            f"{FRAGMENT}:2: include 'image mount point': no template is named so; did you mean",
        ),
        (
            "storage",
            FRAGMENT,
            "image: x\nfrom: {{ $.Versions.X }}\n",
            f"{FRAGMENT}:2: $.Versions is not known",
        ),
        (
            "editions",
            FRAGMENT,
            f"image: x\nfrom: {GOLAN}\n",
            f"{FRAGMENT}:2: base image builder/golan: there is no map of base images",
        ),
        (
            "editions",
            "hooks/batch/main.go",
            "package main\n",
            "orchestrator.yaml: hooks_base: batch-hooks needs a base image",
        ),
        (
            "storage",
            "base_images.yml",
            "REGISTRY_PATH: r\na: 1\n",
            "base_images.yml:2: a: 1 names no image",
        ),
    ],
)
def test_what_is_lacking_has_a_place(
    name: str, path: str, text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(FAMILIES / name, tmp_path / name)
    target = tmp_path / name / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    monkeypatch.setattr("tests.unit.test_families.FAMILIES", tmp_path)
    with pytest.raises(ConfigError) as caught:
        Family(name).config()
    assert says in str(caught.value.details)
