"""Flag, environment, file, default: in this order, each value with its origin."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from orchestrator.option import Kind, Option
from orchestrator.settings import OPTIONS, Source, read, resolve

FLAGGED = [option for option in OPTIONS if option.flag]


def sample(option: Option, number: int) -> Any:
    """A value of the option's kind; number tells several apart."""
    match option.kind:
        case Kind.FLAG:
            return True
        case Kind.WHOLE:
            return number + 1
        case Kind.LIST:
            return (f"r.example.com/{number}",)
        case Kind.MAP:
            return {"A": str(number)}
        case Kind.TEXT:
            return option.choices[number % len(option.choices)] if option.choices else f"t{number}"


def environ(option: Option, value: Any) -> dict[str, str]:
    assert option.env
    if option.kind is Kind.LIST:
        return {option.env.replace("*", "1"): value[0]}
    return {option.env: str(value).lower() if option.kind is Kind.FLAG else str(value)}


def in_file(option: Option, value: Any) -> bytes:
    import json

    return f"{option.name}: {json.dumps(value)}\n".encode()


@pytest.mark.parametrize("option", FLAGGED, ids=lambda option: option.name)
def test_precedence(option: Option) -> None:
    flag, env, file = (sample(option, number) for number in (1, 2, 3))
    data = in_file(option, file) if option.in_file else b""
    settings = resolve({option.name: flag}, environ(option, env), data)
    assert settings[option.name] == flag
    assert settings.origin(option.name).startswith("--")
    settings = resolve({}, environ(option, env), data)
    assert settings[option.name] == env
    assert settings.origin(option.name).startswith("$")
    if option.in_file:
        settings = resolve({}, {}, data)
        assert settings[option.name] == file
        assert settings.origin(option.name) == "orchestrator.yaml:1"
    settings = resolve({}, {}, None)
    assert settings[option.name] == option.default
    assert settings.by_name[option.name].source is Source.DEFAULT
    assert not settings.given(option.name)


@pytest.mark.parametrize(
    "option",
    [option for option in FLAGGED if option.kind is Kind.FLAG],
    ids=lambda option: option.name,
)
def test_a_flag_that_says_no_wins_over_a_yes(option: Option) -> None:
    assert option.env
    data = f"{option.name}: true\n".encode()
    assert resolve({option.name: False}, {option.env: "true"}, data)[option.name] is False
    assert resolve({}, {option.env: "0"}, data)[option.name] is False


@pytest.mark.parametrize(
    "option",
    [option for option in OPTIONS if not option.flag and not option.env],
    ids=lambda option: option.name,
)
def test_what_has_no_flag_comes_from_the_file_only(option: Option) -> None:
    value = {
        Kind.MAP: {"A": "b"},
        Kind.LIST: ("a:b:c",),
        Kind.FLAG: True,
        Kind.TEXT: option.choices[-1] if option.choices else "text",
    }[option.kind]
    settings = resolve({}, {}, in_file(option, list(value) if type(value) is tuple else value))
    assert settings[option.name] == value
    assert settings.origin(option.name) == "orchestrator.yaml:1"
    assert resolve({}, {}, None)[option.name] == option.default


def test_every_flag_has_one_environment_name_of_its_own() -> None:
    names = [option.env for option in FLAGGED]
    assert all(names)
    assert len(set(names)) == len(names)


def test_lists_come_from_numbered_variables_in_order() -> None:
    settings = resolve({}, {"WERF_SECONDARY_REPO_2": "b", "WERF_SECONDARY_REPO_1": "a"}, None)
    assert settings["secondary_repos"] == ("a", "b")
    assert settings.origin("secondary_repos") == "$WERF_SECONDARY_REPO_1, $WERF_SECONDARY_REPO_2"


def test_an_empty_variable_is_unset() -> None:
    assert resolve({}, {"MODULES_MODULE_SOURCE": ""}, None)["source"] is None
    assert resolve({}, {"MODULES_MODULE_SOURCE": ""}, b"source: r.io/m")["source"] == "r.io/m"
    lists = {"WERF_SECONDARY_REPO_1": "", "WERF_SECONDARY_REPO_2": "b"}
    assert resolve({}, lists, None)["secondary_repos"] == ("b",)


@pytest.mark.parametrize("text", ["a\nb", "a\0b", "a\x1b[2Jb", "a\u2028b", "\ufeffa"])
def test_no_control_character_gets_in(text: str) -> None:
    assert wrong(env={"MODULES_MODULE_SOURCE": text})
    assert wrong(env={"WERF_SECONDARY_REPO_1": text})
    assert wrong(tag=text)


@given(st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
@example(b"\xff")
@example(b"? [a]\n: b")
@example(b"1: 2\n~: 3")
@example(b"retries: 99999999999999999999")
@example(b"timeout: .inf")
@example(b"&a [*a]")
def test_any_file_is_read_or_refused(data: bytes) -> None:
    """Whatever the bytes: a value of its kind for each option, and no exception but ours."""
    settings, findings = read({}, {}, data)
    assert set(settings.by_name) == {option.name for option in OPTIONS}
    assert all(finding.origin == "orchestrator.yaml" for finding in findings)


@given(st.text(max_size=30))
def test_any_variable_is_read_or_refused(text: str) -> None:
    for option in FLAGGED:
        if option.env and not option.env.endswith("*"):
            settings, findings = read({}, {option.env: text}, None)
            assert findings or settings[option.name] is not None or not text


def wrong(file: str = "", env: dict[str, str] | None = None, **flags: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        resolve(flags, env or {}, file.encode())
    return [str(finding) for finding in caught.value.findings]


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (
            "name: a\nsuorce: r",
            "orchestrator.yaml:2: unknown setting 'suorce'; did you mean source?",
        ),
        ("tag: v1.0.0", "it is set by --tag or MODULES_MODULE_TAG only"),
        ("source: [a]", "orchestrator.yaml:1: source: text is expected"),
        ("retries: many", "retries: a whole number is expected"),
        ("retries: -1", "retries: at least 0"),
        ("insecure_registry: maybe", "true or false is expected"),
        ("secondary_repos: a", "a list is expected"),
        ("build_args: {A: 1}", "A: text is expected, not 1: quote it"),
        ("builder: wref", "did you mean werf?"),
        ("[]", "a map of settings is expected"),
        ("a: [", "not YAML"),
        ('name: "a\\nb"', "a control character"),
    ],
)
def test_wrong_files(file: str, says: str) -> None:
    assert any(says in line for line in wrong(file))


def test_all_findings_at_once_with_their_origins() -> None:
    lines = wrong("retries: x\nfoo: 1", {"ORCHESTRATOR_TIMEOUT": "soon"}, builder="no")
    assert len(lines) == 4
    assert any(line.startswith("$ORCHESTRATOR_TIMEOUT: ") for line in lines)
    assert any(line.startswith("--builder: ") for line in lines)


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_werf_takes_no_limit_as_zero_or_less(limit: str) -> None:
    assert resolve({}, {"WERF_PARALLEL_TASKS_LIMIT": limit}, None)["parallel"] == int(limit)
