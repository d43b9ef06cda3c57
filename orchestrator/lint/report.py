"""Defects in the forms that people and machines read."""

from collections.abc import Sequence
from typing import Any, Final

from orchestrator.lint.rule import Defect, Rule
from orchestrator.redact import GITHUB_OLD_COMMAND, tame
from orchestrator.verify.finding import Level, junit

SCHEMA: Final = 1


def errors(defects: Sequence[Defect]) -> int:
    return sum(defect.level is Level.ERROR for defect in defects)


def as_text(defects: Sequence[Defect], rules: int) -> str:
    """Each defect with what to do, and a summary."""
    lines = [f"{tame(str(defect))}\n  -> {defect.fix}" for defect in defects]
    count = errors(defects)
    lines.append(f"{count} errors, {len(defects) - count} warnings; {rules} rules")
    return "\n".join(lines) + "\n"


def as_json(defects: Sequence[Defect]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "ok": not errors(defects),
        "defects": [
            {
                "rule": each.rule,
                "name": each.name,
                "level": str(each.level),
                "path": each.path,
                "line": each.line,
                "message": each.message,
                "fix": each.fix,
            }
            for each in defects
        ],
    }


def as_junit(defects: Sequence[Defect], rules: Sequence[Rule], suite: str) -> str:
    """A test case a rule: errors fail, warnings go to its output."""
    return junit(
        suite,
        {
            f"{rule.id} {rule.title}": [
                (each.level, f"{each.place}: {each.message}", each.fix)
                for each in defects
                if each.rule == rule.id
            ]
            for rule in rules
        },
    )


def as_github(defects: Sequence[Defect], prefix: str = "") -> str:
    """Workflow commands of GitHub Actions; `prefix` leads from the top of the work tree."""
    return "".join(
        f"::{each.level} file={_property(prefix + each.path)}"
        f"{f',line={each.line}' if each.line else ''}"
        f",title={_property(f'{each.rule} {each.name}')}"
        f"::{_data(f'{each.message}; {each.fix}')}\n"
        for each in defects
    )


def _data(text: str) -> str:
    """As actions/toolkit escapes the message of a command; the old form of one is defused."""
    text = text.replace(GITHUB_OLD_COMMAND, "## [")
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
