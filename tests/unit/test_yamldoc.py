"""YAML that misleads is found, with its line; nothing raises."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import yamldoc

PRINTABLE = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=8)


def findings(text: str | bytes) -> list[str]:
    return [str(finding) for finding in yamldoc.load(text, "f").findings]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0x1f", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("v1.10", "v1.10"),
        ('"1.10"', "1.10"),
        ("'yes'", "yes"),
        ("2026-01-02", "2026-01-02"),
        ("!!str 1.10", "1.10"),
        ("'<<'", "<<"),
        ("|\n  text\n", "text\n"),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
    ],
)
def test_values(text: str, value: object) -> None:
    document = yamldoc.load(f"key: {text}", "f")
    assert document.findings == ()
    assert document.value == {"key": value}


@pytest.mark.parametrize(
    "word", ["yes", "No", "on", "OFF", "y", "N", "1.10", "010", "12:30:00", "1_000"]
)
def test_scalars_that_mislead(word: str) -> None:
    (finding,) = findings(f"a: 1\nkey: {word}")
    assert finding.startswith(f"f:2: {word} ")
    assert yamldoc.load(f"key: {word}", "f", ambiguous=False).findings == ()


def test_duplicate_keys_name_both_lines() -> None:
    assert findings("a: 1\nb: 2\na: 3\n") == ["f:3: the key 'a' stands twice, first in line 1"]


def test_merge_keys() -> None:
    document = yamldoc.load("x: &x {a: 1, b: 1}\ny:\n  <<: *x\n  b: 2\n", "f")
    assert document.value["y"] == {"a": 1, "b": 2}
    assert document.findings == ()


def test_lines_of_keys_and_items() -> None:
    document = yamldoc.load("a:\n  - b: 1\n    c: 2\n  - d\n", "f")
    assert document.lines[("a",)] == 1
    assert document.lines[("a", 0, "c")] == 3
    assert document.lines[("a", 1)] == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1", "not YAML"),
        ("a: b: c", "f:1: not YAML"),
        ("a: 1\n---\nb: 2\n", "f:2: not YAML: but found another document"),
        (b"ok: 1\n\xff", "f:2: not UTF-8"),
        ("a: !!python/object:os.system x", "is not allowed"),
        ("? [a]\n: b", "a key is not plain text"),
        ("[" * 5000, "nested too deeply"),
        ("- " * 3000 + "a", "nested too deeply"),
        ("- " * 100_000 + "a", "nested too deeply"),
        ("? " * 100_000 + "a", "nested too deeply"),
        ("[" + "a," * 1_000_000 + "]", "more than 100000 values"),
        ("x: &x [*x]", "nested too deeply"),
        ("a: *nothing", "not YAML"),
        ("a: !!binary eA==", "is not allowed"),
    ],
)
def test_broken_texts(text: str | bytes, says: str) -> None:
    (finding,) = findings(text)
    assert says in finding


def test_a_bomb_of_aliases_is_bounded() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for number in range(1, 12):
        before, name = chr(96 + number), chr(97 + number)
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    (finding,) = findings("\n".join(lines))
    assert "aliases that multiply" in finding


@given(st.text(max_size=60) | st.text(alphabet="a:-[]{}&*!|>'\"#\n \t0.1", max_size=60))
def test_no_text_raises(text: str) -> None:
    document = yamldoc.load(text, "f")
    assert document.findings or document.value is None or document.lines[()] >= 1


@given(st.binary(max_size=40))
def test_no_bytes_raise(data: bytes) -> None:
    yamldoc.load(data, "f")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-1000, 1000) | PRINTABLE,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRINTABLE, inner, max_size=3),
        max_leaves=10,
    )
)
def test_json_reads_as_itself(value: object) -> None:
    text = json.dumps({"v": value}, ensure_ascii=False)
    document = yamldoc.load(text, "f")
    assert document.findings == ()
    assert document.value == {"v": value}
