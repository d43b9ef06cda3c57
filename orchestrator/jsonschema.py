"""JSON Schema of orchestrator.yaml, made from the table of settings: what editors complete and check."""

from typing import Any, Final

from orchestrator.fsio import pretty_json
from orchestrator.option import Kind, Option
from orchestrator.settings import FILE, OPTIONS

NAME: Final = "orchestrator.schema.json"
_DIALECT: Final = "http://json-schema.org/draft-07/schema#"


def settings_schema() -> bytes:
    """Stable bytes; equal to docs/orchestrator.schema.json."""
    return pretty_json(
        {
            "$schema": _DIALECT,
            "title": FILE,
            "type": "object",
            "additionalProperties": False,
            "properties": {option.name: _property(option) for option in OPTIONS if option.in_file},
        }
    )


def _property(option: Option) -> dict[str, Any]:
    described = {**_shape(option), "description": option.help}
    if option.default not in (None, (), {}):
        described["default"] = option.default
    return described


def _shape(option: Option) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    match option.kind:
        case Kind.TEXT:
            return {"type": "string", "enum": list(option.choices)} if option.choices else text
        case Kind.WHOLE:
            return {"type": "integer", "minimum": option.minimum}
        case Kind.FLAG:
            return {"type": "boolean"}
        case Kind.LIST:
            return {"type": "array", "items": text}
        case Kind.MAP:
            return {"type": "object", "additionalProperties": {"type": "string"}}
