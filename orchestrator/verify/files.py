"""Rules about a module's files that are the same in a git tree and in a published image."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestrator import yamldoc
from orchestrator.errors import Finding

_CONVERSION: Final = re.compile(r"openapi/conversions/(.+)")
_OF_DKP: Final = frozenset({"base", "ca", "dockercfg", "scheme"})
_NUMBERED: Final = re.compile(r"v([1-9][0-9]*)\.yaml")


def not_a_schema(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """The schemas of a module that are no schema of an object."""
    for path in ("openapi/config-values.yaml", "openapi/values.yaml", "openapi/settings.yaml"):
        if path in files:
            document = yamldoc.load(files[path], path, ambiguous=False)
            value: Any = document.value
            if document.findings or not isinstance(value, dict) or value.get("type") != "object":
                yield Finding(path, 0, "no schema of type object")


def own_registry(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """A property with a meaning of its own that DKP overwrites; a mere place for DKP's is none."""
    path = "openapi/values.yaml"
    document = yamldoc.load(files.get(path, b""), path, ambiguous=False)
    value = document.value
    properties = value.get("properties") if isinstance(value, dict) else None
    own = properties.get("registry") if isinstance(properties, dict) else None
    if isinstance(own, dict) and (_below(own) - _OF_DKP or own.get("default") or "required" in own):
        line = document.lines.get(("properties", "registry"), 0)
        yield Finding(path, line, "DKP puts its own `registry` in place of yours")


def _below(schema: Mapping[str, Any]) -> set[str]:
    properties = schema.get("properties")
    return set(properties) if isinstance(properties, dict) else set()


def conversions(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Conversions of settings are vN.yaml without a gap, up to the version of the schema."""
    numbers = []
    for path in sorted(files):
        if step := _CONVERSION.fullmatch(path):
            if number := _NUMBERED.fullmatch(step[1]):
                numbers.append(int(number[1]))
            else:
                yield Finding(path, 0, "not named vN.yaml, as a conversion is")
    if numbers and sorted(numbers) != list(range(min(numbers), min(numbers) + len(numbers))):
        yield Finding("openapi/conversions", 0, f"there is a gap: {sorted(numbers)}")
    path = "openapi/config-values.yaml"
    document = yamldoc.load(files.get(path, b""), path, ambiguous=False)
    version = document.value.get("x-config-version") if isinstance(document.value, dict) else None
    if numbers and isinstance(version, int) and version != max(numbers):
        line = document.lines.get(("x-config-version",), 0)
        message = f"x-config-version is {version}, the last conversion leads to {max(numbers)}"
        yield Finding(path, line, message)


def changelog(path: str, data: bytes) -> Iterator[Finding]:
    """What DKP cannot read as a changelog it shows as an empty one."""
    if data:
        document = yamldoc.load(data, path, ambiguous=False)
        if document.findings or not isinstance(document.value, dict):
            line = document.findings[0].line if document.findings else 1
            yield Finding(path, line, "not a map: it will be shown empty")


def is_program(path: str, data: bytes) -> bool:
    """What DKP runs, and therefore must be allowed to execute; libraries beside hooks are not meant.

    A hook answers to --config; a binary is known by its name.
    """
    if path == "enabled" or path.endswith("hooks"):
        return path == "enabled" or path.startswith("hooks/")
    script = path.startswith("hooks/") and path.endswith((".sh", ".py"))
    if not script or path.startswith("hooks/lib/") or not data.startswith(b"#!"):
        return False
    return b"--config" in data or b"__main__" in data


def steps_above(definition: yamldoc.Document, version: str) -> Iterator[Finding]:
    """Steps of `update.versions` that lead past the version that they come with."""
    update = definition.value.get("update") if isinstance(definition.value, dict) else None
    steps = update.get("versions") if isinstance(update, dict) else None
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        to = str(step.get("to")) if isinstance(step, dict) else ""
        if re.fullmatch(r"[0-9.]+", to) and _above(to, version):
            line = definition.lines.get(("update", "versions", index, "to"), 0)
            yield Finding("module.yaml", line, f"update.versions leads to {to}, above {version}")


def _above(step: str, version: str) -> bool:
    ours = [int(part) for part in re.findall(r"\d+", version)[:3]]
    theirs = [int(part) for part in step.split(".") if part]
    return bool(ours) and theirs > ours[: len(theirs)]
