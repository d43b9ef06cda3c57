"""The documentation says what the code does."""

from pathlib import Path

from orchestrator.cli import VERBS
from orchestrator.engine.plan import Reason
from orchestrator.settings import OPTIONS

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented_as_it_is() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    for option in OPTIONS:
        assert option.help in text
        for name in filter(None, (option.env, (option.flag or "").partition("/")[0])):
            assert f"`{name}`" in text


def test_every_verb_and_reason_is_documented() -> None:
    readme = (ROOT / "README.md").read_text()
    assert all(f"`{verb}" in readme for verb in VERBS)
    how = (ROOT / "docs/how-it-works.md").read_text()
    assert all(f"`{reason}" in how for reason in Reason if reason is not Reason.NEED_RUNS)
