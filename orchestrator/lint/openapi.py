"""Values and changes against an OpenAPI schema of settings; what is in doubt fits."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeGuard

from orchestrator.yamldoc import Path

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
# Where Go's regular expressions and Python's part ways, nothing is said.
_GO_ONLY: Final = re.compile(r"\\[pPzQEC]|\(\?[^:=!<P]|\[\[:")


def defaults(schema: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every default that does not fit its own schema, with its path and why."""
    if not isinstance(schema, dict):
        return
    if "default" in schema and (why := misfit(schema, schema["default"])):
        yield (*path, "default"), why
    for place, child in _children(schema):
        yield from defaults(child, (*path, *place))


def _children(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for key in ("properties", "patternProperties"):
        below = schema.get(key)
        for name, child in below.items() if isinstance(below, dict) else ():
            yield (key, name), child
    for key in ("items", "additionalProperties"):
        yield (key,), schema.get(key)
    for key in ("allOf", "anyOf", "oneOf"):
        several = schema.get(key)
        for index, child in enumerate(several if isinstance(several, list) else ()):
            yield (key, index), child


def misfit(schema: Any, value: Any) -> str | None:
    """Why a value does not fit, None where it does or where that cannot be told."""
    if not isinstance(schema, dict) or value is None or "$ref" in schema:
        return None
    if schema.get("x-kubernetes-int-or-string") is True:
        return None
    kind = schema.get("type")
    if isinstance(kind, str) and kind in _TYPES and not _is(value, kind):
        return f"{value!r} is not of type {kind}"
    enum = schema.get("enum")
    if isinstance(enum, list) and value not in enum:
        return f"{value!r} is none of {', '.join(map(str, enum))}"
    return _combined(schema, value) or _of_kind(schema, value)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    whole = kind == "integer" and isinstance(value, float) and value.is_integer()
    return whole or isinstance(value, _TYPES[kind])


def _combined(schema: Mapping[str, Any], value: Any) -> str | None:
    for key in ("anyOf", "oneOf"):
        several = schema.get(key)
        if isinstance(several, list) and several:
            reasons = [misfit(each, value) for each in several]
            if all(reasons):
                return f"{value!r} fits nothing in {key}"
    several = schema.get("allOf")
    for each in several if isinstance(several, list) else ():
        if why := misfit(each, value):
            return why
    return None


def _of_kind(schema: Mapping[str, Any], value: Any) -> str | None:
    if isinstance(value, str):
        return _outside(schema, len(value), "Length", "characters") or _pattern(schema, value)
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return _outside(schema, value, "imum", "")
    if isinstance(value, list):
        below = (misfit(schema.get("items"), item) for item in value)
        return _outside(schema, len(value), "Items", "items") or next(filter(None, below), None)
    return _object(schema, value) if isinstance(value, dict) else None


def _outside(schema: Mapping[str, Any], size: float, what: str, unit: str) -> str | None:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    open_least = schema.get("exclusiveMinimum") is True and what == "imum"
    open_most = schema.get("exclusiveMaximum") is True and what == "imum"
    shown = f"{size:g} {unit}".rstrip()
    if _number(least) and (size < least or (open_least and size == least)):
        return f"{shown} is less than {least}" if size < least else f"{shown} is not above {least}"
    if _number(most) and (size > most or (open_most and size == most)):
        return f"{shown} is more than {most}" if size > most else f"{shown} is not below {most}"
    return None


def _number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _pattern(schema: Mapping[str, Any], value: str) -> str | None:
    pattern = schema.get("pattern")
    if not isinstance(pattern, str) or _GO_ONLY.search(pattern):
        return None
    try:
        fits = re.search(pattern, value)
    except re.error:
        return None
    return None if fits else f"{value!r} does not match {pattern}"


def _object(schema: Mapping[str, Any], value: Mapping[str, Any]) -> str | None:
    known = schema.get("properties")
    known = known if isinstance(known, dict) else {}
    more = schema.get("additionalProperties")
    for key, item in value.items():
        if key in known:
            why = misfit(known[key], item)
        elif more is False and "patternProperties" not in schema and known:
            why = "unknown property"
        else:
            why = misfit(more, item)
        if why:
            return f"{key}: {why}"
    return None


def newly_required(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Settings that an object of both schemas requires only now, and that have no default."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return
    before, after = (_texts(schema.get("required")) for schema in (old, new))
    properties = new.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    for index, name in enumerate(after):
        below = properties.get(name)
        if name not in before and not (isinstance(below, dict) and "default" in below):
            yield (*path, "required", index), name
    there = {place: child for place, child in _children(old) if isinstance(child, dict)}
    for place, child in _children(new):
        if place in there:
            yield from newly_required(there[place], child, (*path, *place))


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
