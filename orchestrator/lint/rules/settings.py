"""Rules about the schemas of a module's settings."""

from collections.abc import Iterator
from typing import Final

from orchestrator import yamldoc
from orchestrator.errors import Finding
from orchestrator.lint import openapi
from orchestrator.lint.sources import Sources
from orchestrator.verify import files
from orchestrator.yamldoc import Path

_SCHEMAS: Final = (
    "openapi/config-values.yaml",
    "openapi/settings.yaml",
    "openapi/values.yaml",
)
_OF_USERS: Final = _SCHEMAS[:2]


def default_does_not_fit(sources: Sources) -> Iterator[Finding]:
    for path in _SCHEMAS:
        document = _document(sources, path)
        for place, why in openapi.defaults(document.value):
            setting = _setting(place[:-1])
            message = f"the default of {setting} does not fit: {why}"
            yield Finding(path, _line(document, place), message)


def new_required_setting(sources: Sources) -> Iterator[Finding]:
    if sources.previous is None:
        return
    tag, before = sources.previous
    for path in _OF_USERS:
        document = _document(sources, path)
        old = yamldoc.load(before.get(path, b""), path, ambiguous=False)
        for place, name in openapi.newly_required(old.value, document.value):
            setting = _setting((*place[:-2], "properties", name))
            message = f"{setting} is required since {tag} and has no default"
            yield Finding(path, _line(document, place), message)


def own_registry(sources: Sources) -> Iterator[Finding]:
    yield from files.own_registry(sources.files)


def conversions(sources: Sources) -> Iterator[Finding]:
    yield from files.conversions(sources.files)


def _document(sources: Sources, path: str) -> yamldoc.Document:
    return yamldoc.load(sources.files.get(path, b""), path, ambiguous=False)


def _line(document: yamldoc.Document, place: Path) -> int:
    return next(
        (
            document.lines[place[:end]]
            for end in range(len(place), -1, -1)
            if place[:end] in document.lines
        ),
        0,
    )


def _setting(place: Path) -> str:
    """A path through a schema as its users write it."""
    names = {"items": "[]", "additionalProperties": "*"}
    shown = [
        names.get(str(part), str(part))
        for part in place
        if part not in {"properties", "patternProperties", "allOf", "anyOf", "oneOf"}
        and not isinstance(part, int)
    ]
    return ".".join(shown) or "the whole"
