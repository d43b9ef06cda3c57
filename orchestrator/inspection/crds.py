"""Custom resource definitions compared: kinds and their versions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator import yamldoc

_BETWEEN: Final = re.compile(rb"^---(?:[ \t].*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ResourceChange:
    """`name` is `Kind.group` or, of one version, `Kind.group/version`."""

    name: str
    kind: str
    detail: str = ""
    breaking: bool = False


def compare(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[ResourceChange]:
    """Of two sets of files by path; sorted by name."""
    before, after = _definitions(old), _definitions(new)
    changes = [
        ResourceChange(name=name, kind="removed", breaking=True) for name in before.keys() - after
    ]
    changes += [ResourceChange(name=name, kind="added") for name in after.keys() - before.keys()]
    for name in before.keys() & after.keys():
        changes += _changes(name, before[name], after[name])
    return sorted(changes)


def _definitions(files: Mapping[str, bytes]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for path, data in sorted(files.items()):
        for part in _BETWEEN.split(data) if path.startswith("crds/") else ():
            value = yamldoc.load(part, path, ambiguous=False).value
            spec = value.get("spec") if isinstance(value, dict) else None
            if isinstance(spec, dict) and value.get("kind") == "CustomResourceDefinition":
                names = spec.get("names")
                kind = names.get("kind") if isinstance(names, dict) else None
                found[f"{kind}.{spec.get('group')}"] = spec
    return found


def _changes(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[ResourceChange]:
    before, after = _versions(old), _versions(new)
    changes = []
    if old.get("scope") != new.get("scope"):
        detail = f"scope {old.get('scope')} -> {new.get('scope')}"
        changes.append(ResourceChange(name=name, kind="changed", detail=detail, breaking=True))
    for version in before.keys() | after.keys():
        where = f"{name}/{version}"
        if version not in after:
            served = before[version].get("served") is True
            changes.append(ResourceChange(name=where, kind="removed", breaking=served))
        elif version not in before:
            changes.append(ResourceChange(name=where, kind="added"))
        else:
            changes += _version_changes(where, before[version], after[version])
    return changes


def _versions(spec: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    listed = spec.get("versions")
    several = listed if isinstance(listed, list) else ()
    return {str(each.get("name")): each for each in several if isinstance(each, dict)}


def _version_changes(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> list[ResourceChange]:
    def change(detail: str, *, breaking: bool = False) -> ResourceChange:
        return ResourceChange(name=name, kind="changed", detail=detail, breaking=breaking)

    changes = []
    if old.get("served") != new.get("served"):
        served = new.get("served") is True
        changes.append(change("served" if served else "no longer served", breaking=not served))
    if old.get("storage") != new.get("storage"):
        changes.append(change("stored" if new.get("storage") is True else "no longer stored"))
    if old.get("schema") != new.get("schema"):
        changes.append(change("schema changed"))
    return changes
