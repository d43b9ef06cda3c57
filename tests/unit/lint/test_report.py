"""Levels, and the forms of a report."""

import json
import xml.etree.ElementTree as ET

import pytest

from orchestrator.errors import ConfigError, Finding
from orchestrator.fsio import pretty_json
from orchestrator.lint.report import as_github, as_json, as_junit, as_text
from orchestrator.lint.rule import Defect, levels
from orchestrator.lint.rules import RULES
from orchestrator.verify.finding import Level

NASTY = Defect(
    path="a,b:c%.yaml", line=3, rule="M001", name="module-yaml", level=Level.ERROR,
    message="50% <of> \x00 'it'\n::error::##[x", fix="mend",
)  # fmt: skip
MILD = Defect(
    path="z.yaml", line=0, rule="M105", name="unused-image", level=Level.WARNING,
    message="unused", fix="remove it",
)  # fmt: skip


def test_text() -> None:
    assert as_text([MILD], 3) == (
        "z.yaml: warning [M105 unused-image] unused\n  -> remove it\n0 errors, 1 warnings; 3 rules\n"
    )
    shown = as_text([NASTY], 3)
    assert shown.startswith("a,b:c%.yaml:3: error [M001 module-yaml] 50%")
    assert not any(line.startswith("::") for line in shown.splitlines())


def test_json() -> None:
    value = json.loads(pretty_json(as_json([NASTY, MILD])))
    assert value["ok"] is False
    assert value["defects"][0]["line"] == 3
    assert as_json([MILD])["ok"] is True


def test_junit() -> None:
    suite = ET.fromstring(as_junit([NASTY, MILD], RULES, "lint <echo>"))
    assert suite.get("name") == "lint <echo>"
    assert suite.get("tests") == str(len(RULES))
    assert suite.get("failures") == "1"
    (failure,) = suite.iter("failure")
    assert "50% <of>" in (failure.get("message") or "")
    (note,) = suite.iter("system-out")
    assert (note.text or "").startswith("z.yaml: unused")


def test_github() -> None:
    first, second = as_github([NASTY, MILD], "mod/").splitlines()
    assert first == (
        "::error file=mod/a%2Cb%3Ac%25.yaml,line=3,title=M001 module-yaml"
        "::50%25 <of> \x00 'it'%0A::error::## [x; mend"
    )
    assert second == "::warning file=mod/z.yaml,title=M105 unused-image::unused; remove it"


def test_levels_by_id_or_name_and_the_later_one_wins() -> None:
    place = Finding("--rule", 0, "")
    made = levels(
        RULES,
        [("unused-image", "error", place), ("M206", "warning", place)],
        [("M105", "off", place)],
    )
    assert made["M105"] is None
    assert made["M206"] is Level.WARNING
    assert made["M001"] is Level.ERROR


def test_wrong_levels_are_all_told() -> None:
    with pytest.raises(ConfigError) as caught:
        levels(
            RULES,
            [
                ("unused-imge", "off", Finding("orchestrator.yaml", 3, "")),
                ("m105", "off", Finding("--rule", 0, "")),
                ("M105", "warn", Finding("--rule", 0, "")),
            ],
        )
    assert [str(finding) for finding in caught.value.findings] == [
        "orchestrator.yaml:3: there is no rule 'unused-imge'; did you mean unused-image?",
        "--rule: there is no rule 'm105'; did you mean M105?",
        "--rule: M105: 'warn' is none of off, warning, error; did you mean warning?",
    ]
