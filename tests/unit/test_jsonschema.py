"""The schema of orchestrator.yaml says what the code reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.jsonschema import settings_schema
from orchestrator.settings import OPTIONS, Option, read

ROOT = Path(__file__).parents[2]
PROPERTIES: dict[str, dict[str, Any]] = json.loads(settings_schema())["properties"]


def test_the_published_schema_is_current() -> None:
    assert (ROOT / "docs" / "orchestrator.schema.json").read_bytes() == settings_schema(), (
        "write orchestrator.jsonschema.settings_schema() to docs/orchestrator.schema.json"
    )


def test_every_key_of_the_file_is_there() -> None:
    assert sorted(PROPERTIES) == sorted(option.name for option in OPTIONS if option.in_file)
    assert json.loads(settings_schema())["additionalProperties"] is False


def fits(shape: dict[str, Any], value: Any) -> bool:
    """The few rules of JSON Schema that ours uses."""
    kinds = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
    if not isinstance(value, kinds[shape["type"]]) or (
        isinstance(value, bool) and shape["type"] != "boolean"
    ):
        return False
    if isinstance(value, list):
        return all(fits(shape["items"], item) for item in value)
    if isinstance(value, dict):
        return all(fits(shape["additionalProperties"], item) for item in value.values())
    if isinstance(value, str):
        return len(value) >= shape.get("minLength", 0) and value in shape.get("enum", [value])
    return bool(value >= shape["minimum"]) if shape["type"] == "integer" else True


@pytest.mark.parametrize(
    "option", [option for option in OPTIONS if option.in_file], ids=lambda option: option.name
)
@pytest.mark.parametrize(
    "value", ["text", "auto", "", 0, 7, -(10**10), True, [], ["a"], [1], {}, {"a": "b"}, {"a": 1}]
)
def test_what_the_schema_takes_the_code_reads(option: Option, value: Any) -> None:
    if fits(PROPERTIES[option.name], value):
        _, findings = read({}, {}, f"{option.name}: {json.dumps(value)}\n".encode())
        assert findings == []


def test_defaults_fit() -> None:
    for name, shape in PROPERTIES.items():
        assert "default" not in shape or fits(shape, shape["default"]), name
