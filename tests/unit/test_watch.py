"""Watching a directory with real changes of files."""

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.errors import OrchestratorError, ToolMissing
from orchestrator.watch import bursts, wanted


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Path, Iterator[frozenset[str]]]]:
    (tmp_path / "deep").mkdir()
    (tmp_path / ".orchestrator").mkdir()
    (tmp_path / ".git").mkdir()
    with closing(bursts(tmp_path)) as found:
        assert next(found) == frozenset()
        yield tmp_path, found


def test_changes_between_two_calls_are_one_burst(
    watched: tuple[Path, Iterator[frozenset[str]]],
) -> None:
    directory, found = watched
    for name in ("a", "deep/b"):
        (directory / name).write_text("1")
    assert next(found) == {"a", "deep/b"}
    (directory / "a").unlink()
    assert next(found) == {"a"}


def test_files_of_git_and_ours_wake_nobody(
    watched: tuple[Path, Iterator[frozenset[str]]],
) -> None:
    directory, found = watched
    for name in (".git/index", ".orchestrator/build.log", "images_tags_werf.json", "a"):
        (directory / name).write_text("1")
    assert next(found) == {"a"}


def test_wanted() -> None:
    here = Path("/m")
    assert wanted(here / "templates/.gitlab.yaml", here)
    assert not wanted(here / "sub/.git/HEAD", here)


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(ToolMissing, match="needs the package watchfiles"):
        next(bursts(tmp_path))


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OrchestratorError, match="cannot watch"):
        next(bursts(tmp_path / "no"))
