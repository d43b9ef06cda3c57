"""Values against schemas; in doubt a value fits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.lint.openapi import defaults, misfit, newly_required


@pytest.mark.parametrize(
    ("schema", "value", "why"),
    [
        ({"type": "integer"}, "1", "'1' is not of type integer"),
        ({"type": "integer"}, 1.5, "1.5 is not of type integer"),
        ({"type": "string"}, 1, "1 is not of type string"),
        ({"type": "boolean"}, 0, "0 is not of type boolean"),
        ({"type": "number"}, True, "True is not of type number"),
        ({"type": "array"}, {}, "{} is not of type array"),
        ({"enum": ["a", "b"]}, "c", "'c' is none of a, b"),
        ({"minimum": 2}, 1, "1 is less than 2"),
        ({"maximum": 2}, 3, "3 is more than 2"),
        ({"minimum": 2, "exclusiveMinimum": True}, 2, "2 is not above 2"),
        ({"maximum": 2, "exclusiveMaximum": True}, 2, "2 is not below 2"),
        ({"minLength": 2}, "a", "1 characters is less than 2"),
        ({"maxItems": 1}, [1, 2], "2 items is more than 1"),
        ({"pattern": "^a+$"}, "b", "'b' does not match ^a+$"),
        ({"items": {"type": "string"}}, ["a", 1], "1 is not of type string"),
        ({"properties": {"a": {"type": "string"}}}, {"a": 1}, "a: 1 is not of type string"),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"b": 1}, "b: unknown property"),
        ({"additionalProperties": {"type": "string"}}, {"b": 1}, "b: 1 is not of type string"),
        ({"oneOf": [{"type": "string"}, {"type": "array"}]}, 1, "1 fits nothing in oneOf"),
        ({"allOf": [{}, {"type": "string"}]}, 1, "1 is not of type string"),
    ],
)
def test_misfits(schema: dict[str, Any], value: Any, why: str) -> None:
    assert misfit(schema, value) == why


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 1),
        ({"type": "integer"}, 1.0),
        ({"type": "number"}, 1),
        ({"type": "string"}, None),
        ({"type": "strange"}, 1),
        ({"$ref": "#/x", "type": "string"}, 1),
        ({"x-kubernetes-int-or-string": True, "type": "string"}, 1),
        ({"pattern": r"^\p{L}+$"}, "1"),
        ({"pattern": "("}, "1"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, 1),
        ({"additionalProperties": False}, {"b": 1}),
        (
            {"additionalProperties": False, "properties": {"a": {}}, "patternProperties": {}},
            {"b": 1},
        ),
        ({"properties": {"a": {}}, "required": ["a"]}, {}),
    ],
)
def test_fits(schema: dict[str, Any], value: Any) -> None:
    assert misfit(schema, value) is None


def test_defaults_at_any_depth() -> None:
    schema = {
        "properties": {
            "a": {"items": {"properties": {"b": {"type": "string", "default": 1}}}},
            "c": {"type": "object", "default": {}, "required": ["x"]},
        }
    }
    place = ("properties", "a", "items", "properties", "b", "default")
    assert list(defaults(schema)) == [(place, "1 is not of type string")]


def test_what_an_object_of_both_requires_only_now() -> None:
    old = {"required": ["a"], "properties": {"a": {}, "o": {"properties": {}}}}
    new = {
        "required": ["a", "b", "c"],
        "properties": {
            "a": {},
            "b": {},
            "c": {"default": 1},
            "o": {"required": ["x"]},
            "n": {"required": ["y"]},
        },
    }
    assert list(newly_required(old, new)) == [
        (("required", 1), "b"),
        (("properties", "o", "required", 0), "x"),
    ]
    assert list(newly_required(new, old)) == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3)
    ),
    max_leaves=10,
)
KEYWORDS = st.sampled_from(
    ["type", "enum", "minimum", "maxLength", "pattern", "items", "properties", "required",
     "additionalProperties", "oneOf", "allOf", "default", "exclusiveMinimum"]
)  # fmt: skip
SCHEMAS = st.recursive(
    st.dictionaries(KEYWORDS, VALUES, max_size=4),
    lambda below: st.dictionaries(KEYWORDS, below | st.lists(below, max_size=2), max_size=3),
    max_leaves=8,
)


@given(SCHEMAS, VALUES, SCHEMAS)
def test_no_schema_breaks_it(schema: Any, value: Any, other: Any) -> None:
    misfit(schema, value)
    list(defaults(schema))
    list(newly_required(schema, other))
