"""A sound module of any family has no defect."""

import pytest

from tests.unit.lint.modules import FAMILIES, lint, sources


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_to_say(family: str) -> None:
    found = lint(sources(FAMILIES[family], tags=("v1.0.0",)))
    assert [str(defect) for defect in found] == []
