"""Two settings schemas compared: what was added, removed or changed, and what breaks who has set it.

DKP lets no setting through that a schema does not name (addon-operator: AdditionalPropertiesTransformer)
and suspends a release to which the settings in a cluster do not conform.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_DEPTH: Final = 40
# A number that may only grow, or only shrink, without refusing what was allowed.
_LOWER: Final = ("minimum", "minLength", "minItems", "minProperties")
_UPPER: Final = ("maximum", "maxLength", "maxItems", "maxProperties")
_SHOWN: Final = ("format", "pattern", "multipleOf", "nullable")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SettingChange:
    """`kind` is added, removed or changed; `path` has `[]` for items and `*` for any key."""

    path: str
    kind: str
    detail: str = ""
    breaking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    parent: str
    schema: Mapping[str, Any]
    required: bool

    @property
    def needed(self) -> bool:
        """Has to be given: required, and no default fills it in."""
        return self.required and "default" not in self.schema

    @property
    def type(self) -> str:
        if self.schema.get("x-kubernetes-int-or-string") is True:
            return "integer or string"
        told = self.schema.get("type")
        if isinstance(told, list):
            return " or ".join(sorted(map(str, told)))
        return str(told) if told is not None else "any"


def compare(old: Any, new: Any) -> list[SettingChange]:
    """Every setting that differs, parents instead of all that is in them; sorted by path."""
    before, after = (dict(_settings(schema, "", 0)) for schema in (old, new))
    changes = []
    for path in before.keys() - after.keys():
        parent = before[path].parent
        if parent in after or not parent:
            kept = _takes_any(after[parent].schema if parent else new)
            changes.append(SettingChange(path=path, kind="removed", breaking=not kept))
    for path in after.keys() - before.keys():
        found = after[path]
        if found.parent in before or not found.parent:
            detail = f"{found.type}, required without a default" if found.needed else found.type
            changes.append(
                SettingChange(path=path, kind="added", detail=detail, breaking=found.needed)
            )
    for path in before.keys() & after.keys():
        changes += _changes(path, before[path], after[path])
    return sorted(changes)


def _settings(schema: Any, path: str, depth: int) -> Iterator[tuple[str, _Setting]]:
    """Path -> setting of everything below a schema."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return
    required = schema.get("required")
    names = required if isinstance(required, list) else ()
    properties = schema.get("properties")
    for name, below in properties.items() if isinstance(properties, dict) else ():
        if isinstance(below, dict):
            own = f"{path}.{name}" if path else str(name)
            yield own, _Setting(parent=path, schema=below, required=name in names)
            yield from _settings(below, own, depth + 1)
    for key, mark in (("items", "[]"), ("additionalProperties", ".*" if path else "*")):
        if isinstance(below := schema.get(key), dict):
            own = f"{path}{mark}"
            yield own, _Setting(parent=path, schema=below, required=False)
            yield from _settings(below, own, depth + 1)


def _takes_any(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return True
    extra = schema.get("additionalProperties")
    return bool(extra) or schema.get("x-kubernetes-preserve-unknown-fields") is True


def _changes(path: str, old: _Setting, new: _Setting) -> Iterator[SettingChange]:
    def change(detail: str, *, breaking: bool = False) -> SettingChange:
        return SettingChange(path=path, kind="changed", detail=detail, breaking=breaking)

    if old.type != new.type:
        wider = new.type == "any" or set(old.type.split(" or ")) <= set(new.type.split(" or "))
        wider = wider or (old.type, new.type) == ("integer", "number")
        yield change(f"type {old.type} -> {new.type}", breaking=not wider)
    if new.needed and not old.needed:
        lost = "lost its default" if old.required else "became required without a default"
        yield change(lost, breaking=True)
    elif old.required != new.required:
        yield change("became required, with a default" if new.required else "no longer required")
    if old.schema.get("default") != new.schema.get("default") and not (new.needed > old.needed):
        yield change(f"default {_value(old.schema, 'default')} -> {_value(new.schema, 'default')}")
    yield from _narrowed(old.schema, new.schema, change)


def _narrowed(old: Mapping[str, Any], new: Mapping[str, Any], change: Any) -> Iterator[Any]:
    values = [s.get("enum") if isinstance(s.get("enum"), list) else None for s in (old, new)]
    if values[0] != values[1]:
        gone = [v for v in values[0] or () if values[1] is not None and v not in values[1]]
        fresh = [v for v in values[1] or () if values[0] is not None and v not in values[0]]
        said = [f"no longer {_text(v)}" for v in gone] + [f"also {_text(v)}" for v in fresh]
        if values[0] is None or values[1] is None:
            said = ["a list of values" if values[0] is None else "any value"]
        if said:
            yield change(f"takes {', '.join(said)}", breaking=bool(gone) or values[0] is None)
    for keys, sign in ((_LOWER, 1), (_UPPER, -1), (_SHOWN, 0)):
        for key in keys:
            if old.get(key) != new.get(key):
                detail = f"{key} {_value(old, key)} -> {_value(new, key)}"
                yield change(detail, breaking=_is_narrower(old.get(key), new.get(key), sign))


def _is_narrower(old: Any, new: Any, sign: int) -> bool:
    if not sign or not isinstance(new, (int, float)):
        return False
    return not isinstance(old, (int, float)) or sign * new > sign * old


def _value(schema: Mapping[str, Any], key: str) -> str:
    return _text(schema[key]) if key in schema else "none"


def _text(value: Any) -> str:
    import json

    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
