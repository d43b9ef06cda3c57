"""What init writes: only what is missing, and what it writes is right."""

import re

import pytest
import yaml

from orchestrator import giterminism
from orchestrator.errors import ConfigError, UsageError
from orchestrator.fragments import Usage
from orchestrator.scaffold.plan import (
    CI,
    FILES,
    Action,
    Plan,
    allows_generated,
    plan,
    settings_text,
)
from orchestrator.settings import OPTIONS, read


def made(result: Plan, action: Action = Action.WRITE) -> dict[str, bytes]:
    return {change.path: change.data for change in result.changes if change.action is action}


def test_an_empty_directory_gets_a_module() -> None:
    result = plan({}, directory="my-module", name=None, ci=None)
    written = made(result)
    assert sorted(written) == [
        ".gitignore",
        "Makefile",
        "module.yaml",
        "orchestrator.yaml",
        "werf-giterminism.yaml",
    ]
    assert yaml.safe_load(written["module.yaml"])["name"] == "my-module"
    assert written[".gitignore"] == b"/.orchestrator\n/images_tags_werf.json\n"
    assert result.advice == ()


def test_a_second_run_keeps_everything() -> None:
    first = made(plan({}, directory="my-module", name=None, ci="gitlab"))
    again = plan(dict(first), directory="elsewhere", name=None, ci="gitlab")
    assert {change.action for change in again.changes} == {Action.KEEP}
    assert again.advice == ()


@pytest.mark.parametrize("there", FILES)
def test_no_file_is_overwritten(there: str) -> None:
    before = {there: b"name: mine\n", "module.yaml": b"name: mine\n"}
    result = plan(before, directory="mine", name=None, ci=None)
    assert there not in made(result)
    if there != ".gitignore":
        assert there not in made(result, Action.EXTEND)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"/.orchestrator\n/images_tags_werf.json\n"),
        (b"x", b"x\n/.orchestrator\n/images_tags_werf.json\n"),
        (b".orchestrator/\r\n", b".orchestrator/\r\n/images_tags_werf.json\n"),
    ],
)
def test_ignore_lines_are_added_behind(before: bytes, after: bytes) -> None:
    result = plan({".gitignore": before}, directory="mine", name=None, ci=None)
    assert made(result, Action.EXTEND) == {".gitignore": after}
    again = plan({".gitignore": after}, directory="mine", name=None, ci=None)
    assert made(again, Action.EXTEND) == {}


def test_what_is_no_plain_file_is_left_alone() -> None:
    result = plan({".gitignore": None, "Makefile": None}, directory="mine", name=None, ci=None)
    assert {".gitignore", "Makefile"}.isdisjoint(made(result))
    assert any(".gitignore is no plain file" in line for line in result.advice)


def test_a_config_of_ones_own_needs_no_giterminism_file() -> None:
    result = plan({"werf.yml": b""}, directory="mine", name=None, ci=None)
    assert "werf-giterminism.yaml" not in made(result)
    assert any("werf.yml is run as it is" in line for line in result.advice)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        (giterminism.text(giterminism.needed(Usage())).encode(), True),
        (b"config: {allowUncommitted: 'true'}\n", False),
        (b"giterminismConfigVersion: 1\n", False),
        (b"config: [\n", False),
        (b"\xff", False),
    ],
)
def test_an_existing_giterminism_file_is_judged(text: bytes, allowed: bool) -> None:
    assert allows_generated(text) is allowed
    before = {"werf-giterminism.yaml": text}
    result = plan(before, directory="mine", name=None, ci=None)
    assert any("lacks `allowUncommitted: true`" in line for line in result.advice) is not allowed


def test_names() -> None:
    named = {"module.yaml": b"name: mine\n"}
    with pytest.raises(ConfigError, match="names the module 'mine', --name names it 'other'"):
        plan(named, directory="mine", name="other", ci=None)
    with pytest.raises(UsageError) as caught:
        plan({}, directory="My Module", name=None, ci=None)
    assert "--name" in str(caught.value.hint)
    with pytest.raises(ConfigError):
        plan({}, directory="mine", name="My Module", ci=None)
    nameless = {"module.yaml": b"weight: 1\n"}
    assert any("has no name" in a for a in plan(nameless, directory="X", name=None, ci=None).advice)
    written = made(plan(nameless, directory="X", name="mine", ci=None))
    assert yaml.safe_load(written["orchestrator.yaml"]) == {"name": "mine"}


def test_every_setting_is_explained_and_every_example_can_be_used() -> None:
    text = settings_text({})
    assert yaml.safe_load(text) is None
    assert text.startswith(
        "# yaml-language-server: $schema=.orchestrator/orchestrator.schema.json\n"
    )
    uncommented = re.sub(r"(?m)^# (?=[a-z_]+:( |$)|  )", "", text)
    settings, findings = read({}, {}, uncommented.encode())
    assert findings == []
    for option in OPTIONS:
        assert not option.in_file or (option.help in text and settings.given(option.name))


@pytest.mark.parametrize("engine", sorted(CI))
def test_pipelines(engine: str) -> None:
    written = made(plan({}, directory="mine", name=None, ci=engine))
    path, _ = CI[engine]
    text = written[path].decode()
    assert "orchestrator build" in text
    assert "--password-stdin" in text
    if path.endswith(("yml", "yaml")):
        assert isinstance(yaml.safe_load(text), dict)
