"""The rendered config: stable bytes, and no text of a user that werf or YAML would read as code."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model import ModuleName
from orchestrator.module import ImageKind, ImageSource, Module
from orchestrator.templating import documents, go_string, scalar, unescape, werf_config


def module(*images: tuple[str, ImageKind]) -> Module:
    return Module(
        name=ModuleName("echo"),
        definition={},
        images=tuple(
            ImageSource(name=name, directory=f"images/{name}", kind=kind) for name, kind in images
        ),
    )


def test_dockerfile_images_are_plain_yaml() -> None:
    made = module(("b", ImageKind.DOCKERFILE), ("a", ImageKind.DOCKERFILE))
    text = werf_config(made, args={"BASE": "r.io/a:1", "A": "yes"}, values={})
    assert "{{" not in text
    meta, first, second = (yaml.safe_load(part) for part in documents(text))
    assert meta == {"project": "echo", "configVersion": 1}
    args = {"BASE": "r.io/a:1", "A": "yes"}
    assert first == {"image": "a", "context": "images/a", "dockerfile": "Dockerfile", "args": args}
    assert second["image"] == "b"
    assert text == werf_config(made, args=dict(reversed(args.items())), values={})


def test_fragments_are_included_by_werf() -> None:
    text = werf_config(module(("a", ImageKind.STAPEL)), args={}, values={"X": 'q"'})
    assert '{{ tpl (.Files.Get "images/a/werf.inc.yaml") (merge (dict "ImageName" "a"' in text
    assert '"X" "q\\""' in text
    assert '"GOPROXY" "https://proxy.golang.org,direct"' in text


def test_values_override_what_fragments_get_by_default() -> None:
    text = werf_config(module(("a", ImageKind.STAPEL)), args={}, values={"GOPROXY": "off"})
    assert '"GOPROXY" "off"' in text
    assert "proxy.golang.org" not in text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_scalars_read_back(text: str) -> None:
    written = scalar(text)
    assert "{{" not in unescape(written) or "{{" in text
    assert "\n" not in written
    assert yaml.safe_load(unescape(written)) == text


@pytest.mark.parametrize(
    "word", ["yes", "No", "null", "1.10", "", "a: b", "# x", "- x", "{{ .Env }}"]
)
def test_scalars_that_need_quotes(word: str) -> None:
    assert yaml.safe_load(unescape(scalar(word))) == word
    assert "{{ .Env" not in scalar(word)


def test_go_strings() -> None:
    assert go_string('a"b\\\n\x00é') == '"a\\"b\\\\\\n\\u0000é"'
    assert go_string("\u2028\x7f") == '"\\U00002028\\U0000007f"'


def test_documents_are_split_as_werf_does() -> None:
    assert documents("a\n---\nb\n--- # x\nc\n ---\nd\n---x\n---\n\n") == [
        "a",
        "b",
        "c\n ---\nd\n---x",
    ]
