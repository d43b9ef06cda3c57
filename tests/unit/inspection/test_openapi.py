"""Settings schemas compared: what is added, removed, changed, and what breaks a cluster."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.inspection.openapi import compare


def schema(**properties: Any) -> dict[str, Any]:
    required = [name for name, value in properties.items() if value.pop("!", False)]
    return {"type": "object", "properties": properties, "required": required}


def said(old: Any, new: Any) -> list[str]:
    return [
        f"{each.kind} {each.path}"
        + (f": {each.detail}" if each.detail else "")
        + (" BREAKING" if each.breaking else "")
        for each in compare(old, new)
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"a": {"type": "string"}}, ["added a: string"]),
        ({}, {"a": {}}, ["added a: any"]),
        ({"a": {"type": "string"}}, {}, ["removed a BREAKING"]),
        (
            {},
            {"a": {"type": "string", "!": True}},
            ["added a: string, required without a default BREAKING"],
        ),
        ({}, {"a": {"type": "string", "default": "x", "!": True}}, ["added a: string"]),
        (
            {"a": {"type": "string"}},
            {"a": {"type": "string", "!": True}},
            ["changed a: became required without a default BREAKING"],
        ),
        (
            {"a": {"type": "string"}},
            {"a": {"type": "string", "default": "", "!": True}},
            ["changed a: became required, with a default", 'changed a: default none -> ""'],
        ),
        (
            {"a": {"default": 1, "!": True}},
            {"a": {"!": True}},
            ["changed a: lost its default BREAKING"],
        ),
        ({"a": {"!": True}}, {"a": {}}, ["changed a: no longer required"]),
        (
            {"a": {"type": "string"}},
            {"a": {"type": "integer"}},
            ["changed a: type string -> integer BREAKING"],
        ),
        (
            {"a": {"type": "integer"}},
            {"a": {"type": "number"}},
            ["changed a: type integer -> number"],
        ),
        ({"a": {"type": "integer"}}, {"a": {}}, ["changed a: type integer -> any"]),
        ({"a": {}}, {"a": {"type": "integer"}}, ["changed a: type any -> integer BREAKING"]),
        (
            {"a": {"enum": ["x", "y"]}},
            {"a": {"enum": ["y", "z"]}},
            ['changed a: takes no longer "x", also "z" BREAKING'],
        ),
        ({"a": {"enum": ["x"]}}, {"a": {"enum": ["x", "y"]}}, ['changed a: takes also "y"']),
        ({"a": {}}, {"a": {"enum": ["x"]}}, ["changed a: takes a list of values BREAKING"]),
        ({"a": {"enum": ["x"]}}, {"a": {}}, ["changed a: takes any value"]),
        (
            {"a": {"minimum": 1}},
            {"a": {"minimum": 2}},
            ["changed a: minimum 1 -> 2 BREAKING"],
        ),
        ({"a": {"minimum": 2}}, {"a": {"minimum": 1}}, ["changed a: minimum 2 -> 1"]),
        (
            {"a": {"maxLength": 9}},
            {"a": {"maxLength": 8}},
            ["changed a: maxLength 9 -> 8 BREAKING"],
        ),
        ({"a": {"description": "x"}}, {"a": {"description": "y"}}, []),
    ],
)
def test_one_setting(old: dict[str, Any], new: dict[str, Any], expected: list[str]) -> None:
    assert said(schema(**old), schema(**new)) == expected


def test_parents_stand_for_what_is_in_them() -> None:
    nested = schema(a=schema(b=schema(c={"type": "string", "!": True})))
    assert said({}, nested) == ["added a: object"]
    assert said(nested, {}) == ["removed a BREAKING"]
    assert said(nested, schema(a=schema())) == ["removed a.b BREAKING"]


def test_items_and_maps() -> None:
    def shape(kind: str) -> dict[str, Any]:
        return schema(
            hosts={"type": "array", "items": schema(name={"type": kind})},
            labels={"type": "object", "additionalProperties": {"type": kind}},
        )

    assert said(shape("string"), shape("integer")) == [
        "changed hosts[].name: type string -> integer BREAKING",
        "changed labels.*: type string -> integer BREAKING",
    ]


def test_what_an_open_schema_lets_through_is_not_broken() -> None:
    old = schema(a={"type": "string"})
    assert said(old, {"type": "object", "additionalProperties": True}) == ["removed a"]
    assert said(old, {"x-kubernetes-preserve-unknown-fields": True}) == ["removed a"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["properties", "items", "required", "type", "enum", "default", "minimum", "a", "b"]
            ),
            below,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_nothing_raises_and_nothing_differs_from_itself(old: Any, new: Any) -> None:
    compare(old, new)
    assert compare(old, old) == []
    assert {(each.path, each.kind) for each in compare(old, new) if each.kind == "added"} == {
        (each.path, "added") for each in compare(new, old) if each.kind == "removed"
    }
