"""Manifests: the examples of the user documents letter for letter, and text that stays text."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import yamldoc
from orchestrator.cluster.manifest import parse_name, to_yaml
from orchestrator.cluster.override import Api, PullOverride
from orchestrator.cluster.source import ModuleSource
from orchestrator.errors import UsageError
from orchestrator.model import ModuleName, Repository

ECHO = ModuleName("echo")


def test_the_documented_overrides() -> None:
    made = PullOverride(
        module=ECHO, tag="main-patch-03354", scan_interval=None, source="test", api=Api.V1ALPHA1
    )
    assert to_yaml(made.manifest()) == (
        "apiVersion: deckhouse.io/v1alpha1\n"
        "kind: ModulePullOverride\n"
        "metadata:\n"
        "  name: echo\n"
        "spec:\n"
        "  imageTag: main-patch-03354\n"
        "  source: test\n"
    )
    made = PullOverride(module=ECHO, tag="main-patch-03354", source="test", api=Api.V1ALPHA1)
    assert to_yaml(made.manifest()) == (
        "apiVersion: deckhouse.io/v1alpha1\n"
        "kind: ModulePullOverride\n"
        "metadata:\n"
        "  name: echo\n"
        "spec:\n"
        "  imageTag: main-patch-03354\n"
        "  scanInterval: 15s\n"
        "  source: test\n"
    )


def test_the_documented_source() -> None:
    made = ModuleSource(
        name="test",
        repository=Repository.parse("registry.example.com/deckhouse/modules"),
        docker_config="someBase64String==",
    )
    assert to_yaml(made.manifest()) == (
        "apiVersion: deckhouse.io/v1alpha1\n"
        "kind: ModuleSource\n"
        "metadata:\n"
        "  name: test\n"
        "spec:\n"
        "  registry:\n"
        '    ca: ""\n'
        "    dockerCfg: someBase64String==\n"
        "    repo: registry.example.com/deckhouse/modules\n"
        "    scheme: HTTPS\n"
    )


LOOK_ALIKES = (
    "1e3 1.0 0x1F 010 1_0 0o7 12e03 .5 y No on null true 2026-01-02 12:30:45 1:2 - _ _1 = <<"
)


@pytest.mark.parametrize("text", [*LOOK_ALIKES.split(), "", "é", "a: b", "a #b"])
def test_what_looks_like_something_else_is_quoted(text: str) -> None:
    made = to_yaml({"spec": {"imageTag": text}})
    assert f"imageTag: {text}\n" not in made
    assert yaml.safe_load(made) == {"spec": {"imageTag": text}}


@pytest.mark.parametrize(
    "text", ["15s", "1h30m", "main", "pr333", "registry.example.io:5000/modules", "YWJj+/A=="]
)
def test_plain_text_stays_plain(text: str) -> None:
    assert to_yaml({"a": text}) == f"a: {text}\n"


@given(
    st.dictionaries(
        st.sampled_from("abc"), st.text() | st.text("ab \n") | st.booleans(), min_size=1
    )
)
def test_every_reader_sees_the_same_text(value: dict[str, str | bool]) -> None:
    text = to_yaml({"x": value})
    assert yaml.safe_load(text) == {"x": value}
    read = yamldoc.load(text, "")
    assert read.value == {"x": value} and not read.findings


def test_many_lines_are_a_literal_block() -> None:
    made = to_yaml({"spec": {"ca": "one\ntwo\n", "next": True}})
    assert made == "spec:\n  ca: |\n    one\n    two\n  next: true\n"
    assert yaml.safe_load(made) == {"spec": {"ca": "one\ntwo\n", "next": True}}


@pytest.mark.parametrize("text", ["", "A", "a_b", "-a", "a-", "a..b", "a b", "a" * 254, "a\n"])
def test_names_of_objects(text: str) -> None:
    assert parse_name("my-modules.2") == "my-modules.2"
    with pytest.raises(UsageError, match="not a name"):
        parse_name(text)
