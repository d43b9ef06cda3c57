"""Shapes of YAML files as data, and checking a document against one: every finding with its line."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import Finding
from orchestrator.yamldoc import Document, Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Text; `rule` says what is wrong with it, or None."""

    one_of: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    like: str = ""
    rule: Callable[[str], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number within bounds."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class ListOf:
    item: "Schema"


@dataclass(frozen=True, slots=True)
class MapOf:
    value: "Schema"


@dataclass(frozen=True, slots=True)
class Record:
    """A map with known keys; others are errors."""

    fields: Mapping[str, "Schema"]
    required: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """What fits one of several shapes; the last one explains what does not."""

    shapes: tuple["Schema", ...]


Schema = Text | Flag | Whole | ListOf | MapOf | Record | AnyOf


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean X?` where X is close, else nothing."""
    close = difflib.get_close_matches(wrong, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def check(schema: Schema, document: Document, origin: str) -> list[Finding]:
    """All that does not fit, sorted by line."""
    findings: list[Finding] = []
    _Checker(document, origin, findings).check(schema, document.value, ())
    return sorted(findings)


@dataclass(frozen=True, slots=True)
class _Checker:
    document: Document
    origin: str
    findings: list[Finding]

    def _find(self, path: Path, message: str) -> None:
        line = next(
            (
                self.document.lines[path[:length]]
                for length in range(len(path), -1, -1)
                if path[:length] in self.document.lines
            ),
            0,
        )
        name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
        self.findings.append(
            Finding(self.origin, line, f"{name.lstrip('.')}: {message}" if path else message)
        )

    def check(self, schema: Schema, value: Any, path: Path) -> None:
        match schema:
            case Text():
                self._text(schema, value, path)
            case Flag():
                if not isinstance(value, bool):
                    self._find(path, f"true or false is expected, not {value!r}")
            case Whole():
                fits = isinstance(value, int) and not isinstance(value, bool)
                if not fits or not schema.minimum <= value <= schema.maximum:
                    bounds = f"{schema.minimum} to {schema.maximum}"
                    self._find(path, f"a whole number, {bounds}, is expected, not {value!r}")
            case ListOf():
                if not isinstance(value, list):
                    self._find(path, f"a list is expected, not {value!r}")
                    return
                for index, item in enumerate(value):
                    self.check(schema.item, item, (*path, index))
            case MapOf():
                if not isinstance(value, dict):
                    self._find(path, f"a map is expected, not {value!r}")
                    return
                for key, item in value.items():
                    self.check(schema.value, item, (*path, key))
            case Record():
                self._record(schema, value, path)
            case AnyOf():
                self._any_of(schema, value, path)

    def _any_of(self, schema: AnyOf, value: Any, path: Path) -> None:
        tried: list[Finding] = []
        for shape in schema.shapes:
            tried = []
            _Checker(self.document, self.origin, tried).check(shape, value, path)
            if not tried:
                return
        self.findings.extend(tried)

    def _text(self, schema: Text, value: Any, path: Path) -> None:
        if not isinstance(value, str):
            self._find(path, f"text is expected, not {value!r}")
        elif schema.one_of and value not in schema.one_of:
            known = ", ".join(schema.one_of)
            self._find(path, f"{value!r} is none of {known}{suggestion(value, schema.one_of)}")
        elif schema.pattern is not None and not schema.pattern.fullmatch(value):
            self._find(path, f"{value!r} is not {schema.like}")
        elif schema.rule is not None and (wrong := schema.rule(value)):
            self._find(path, wrong)

    def _record(self, schema: Record, value: Any, path: Path) -> None:
        if not isinstance(value, dict):
            self._find(path, f"a map is expected, not {value!r}")
            return
        for key, item in value.items():
            if key in schema.fields:
                self.check(schema.fields[key], item, (*path, key))
            else:
                self._find((*path, key), f"unknown key{suggestion(str(key), schema.fields)}")
        for key in sorted(schema.required - value.keys()):
            self._find(path, f"the key {key} is missing")
