"""Findings of a verification, and their forms for machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from orchestrator.model import escape_control

SCHEMA: Final = 1

RULES: Final = {
    1: "a channel holds a release version only",
    2: "version.json names its own version",
    3: "the module has one name everywhere",
    4: "the release image is what DKP reads",
    5: "the module image has a valid module.yaml",
    6: "DKP can extract the module image",
    7: "images_digests.json is a flat map of digests",
    8: "every application image is whole and has a tag",
    9: "templates and digests name the same images",
    10: "settings schemas can be used",
    11: "the release names the module image that is published",
    12: "a published version has not moved",
    13: "module image and release come in pairs",
    14: "the channel is one of DKP's, and an unchanged copy",
    15: "media types are ones that every reader takes",
    16: "attestations are where the mirror looks",
    17: "the module is listed in its source",
    18: "what a version needs is kept",
    19: "extra images are there",
    20: "all of it can be read with these credentials",
    21: "the module image is small enough to be downloaded in time",
}


class Level(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Violation:
    """A rule that does not hold; `fix` says what to do."""

    rule: int
    level: Level
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.level} [{self.rule}] {self.message}"


@dataclass(slots=True, kw_only=True)
class Verification:
    """What was checked, and what was found."""

    reference: str
    digest: str = ""
    version: str = ""
    images: int = 0
    blobs: int = 0
    violations: list[Violation] = field(default_factory=list)

    def error(self, rule: int, message: str, fix: str) -> None:
        self._add(rule, Level.ERROR, message, fix)

    def warn(self, rule: int, message: str, fix: str) -> None:
        self._add(rule, Level.WARNING, message, fix)

    def note(self, rule: int, message: str, fix: str) -> None:
        """Worth knowing, and nothing wrong."""
        self._add(rule, Level.NOTE, message, fix)

    def _add(self, rule: int, level: Level, message: str, fix: str) -> None:
        found = Violation(rule=rule, level=level, message=message, fix=fix)
        if found not in self.violations:
            self.violations.append(found)

    @property
    def errors(self) -> list[Violation]:
        return sorted(each for each in self.violations if each.level is Level.ERROR)

    @property
    def warnings(self) -> list[Violation]:
        return sorted(each for each in self.violations if each.level is Level.WARNING)


def as_json(verification: Verification) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "reference": verification.reference,
        "digest": verification.digest,
        "version": verification.version,
        "images": verification.images,
        "blobs": verification.blobs,
        "ok": not verification.errors,
        "violations": [
            {
                "rule": each.rule,
                "title": RULES[each.rule],
                "level": str(each.level),
                "message": each.message,
                "fix": each.fix,
            }
            for each in sorted(verification.violations)
        ],
    }


def as_junit(verification: Verification) -> str:
    """A test case a rule: errors fail, warnings go to its output."""
    violations = sorted(verification.violations)
    return junit(
        f"verify {verification.reference}",
        {
            f"{rule}. {title}": [
                (each.level, each.message, each.fix) for each in violations if each.rule == rule
            ]
            for rule, title in RULES.items()
        },
    )


def junit(suite: str, cases: Mapping[str, Sequence[tuple[Level, str, str]]]) -> str:
    """JUnit XML: what was found by case, as level, message and what to do."""
    failed = [name for name, found in cases.items() if any(e[0] is Level.ERROR for e in found)]
    name = _attribute(suite)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(f'<testsuite name={name} tests="{len(cases)}" failures="{len(failed)}">')
    for title, found in cases.items():
        lines.append(f"  <testcase classname={name} name={_attribute(title)}>")
        for level, message, fix in found:
            text = escape(_legal(f"{message}\n{fix}"))
            if level is Level.ERROR:
                lines.append(f"    <failure message={_attribute(message)}>{text}</failure>")
            else:
                lines.append(f"    <system-out>{text}</system-out>")
        lines.append("  </testcase>")
    lines.append("</testsuite>")
    return "\n".join(lines) + "\n"


def _attribute(text: str) -> str:
    return quoteattr(_legal(text))


def _legal(text: str) -> str:
    """XML has no way to write a control character."""
    return "\n".join(map(escape_control, text.split("\n")))
