"""The table of rules in the documentation is the table in the code."""

from pathlib import Path

from orchestrator.lint.rules import RULES

TEXT = (Path(__file__).parents[3] / "docs/lint.md").read_text()


def test_every_rule_stands_in_the_table() -> None:
    rows = [
        f"| {rule.id} | `{rule.name}` | {rule.level or 'off'} | {rule.title} | {rule.fix} |"
        for rule in RULES
    ]
    assert [line for line in TEXT.splitlines() if line.startswith("| M")] == rows
    on = sum(rule.level is not None for rule in RULES)
    assert f"; {on} rules" in TEXT
