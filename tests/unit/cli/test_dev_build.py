"""When the watch builds: bursts of changes by hand, in a real work tree, with no real build."""

import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from orchestrator import cli
from orchestrator.cli import dev_build
from orchestrator.errors import BuildFailed, Interrupted, ToolMissing
from tests.harness import Project, make_project

Bursts = Callable[[Path], Generator[frozenset[str], None, None]]


@pytest.fixture(autouse=True)
def _signal_handlers_are_put_back() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path / "echo", "minimal")
    made.write(".gitignore", "*.swp\n")
    return made


@pytest.fixture
def watch(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[Callable[[], object]]], tuple[int, list[str]]]:
    """Runs `dev --watch` over actions, each followed by a burst; the exit code and what was built."""

    def run(actions: list[Callable[[], object]]) -> tuple[int, list[str]]:
        built: list[str] = []

        def bursts(_directory: Path) -> Generator[frozenset[str], None, None]:
            yield frozenset()
            for action in actions:
                action()
                yield frozenset({"something"})

        def build(_loop: object) -> None:
            text = (
                (project.directory / "a").read_text() if (project.directory / "a").exists() else ""
            )
            built.append(text)
            if text == "bad":
                raise BuildFailed("no")
            if text == "stop":
                raise Interrupted(signal.SIGINT)
            if text == "tool":
                raise ToolMissing("no")

        monkeypatch.setattr("orchestrator.watch.bursts", bursts)
        monkeypatch.setattr(dev_build._Loop, "build", build)
        code = cli.main(["dev", "-C", str(project.directory), "--watch"])
        monkeypatch.undo()
        return code, built

    return run


def test_only_what_git_sees_as_changed_is_built(
    project: Project, watch: Callable[..., tuple[int, list[str]]]
) -> None:
    code, built = watch(
        [
            lambda: project.write("x.swp", "1"),
            lambda: project.write("a", "one"),
            lambda: project.write("a", "one"),
            project.commit,
            lambda: project.write("a", "two"),
        ]
    )
    assert (code, built) == (0, ["", "one", "two"])


def test_a_failed_build_is_tried_again_at_any_change(
    project: Project,
    watch: Callable[..., tuple[int, list[str]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, built = watch(
        [
            lambda: project.write("a", "bad"),
            lambda: project.write("x.swp", "1"),
            lambda: project.write("a", "good"),
        ]
    )
    assert (code, built) == (0, ["", "bad", "bad", "good"])
    err = capsys.readouterr().err
    assert err.count("error: build failed: no") == 2
    assert err.count("the next change builds again") == 2


def _interrupt(signum: int) -> Callable[[], None]:
    def action() -> None:
        raise Interrupted(signum)

    return action


def test_the_ways_out(project: Project, watch: Callable[..., tuple[int, list[str]]]) -> None:
    assert watch([_interrupt(signal.SIGINT)]) == (0, [""])
    assert watch([_interrupt(signal.SIGTERM)]) == (143, [""])
    assert watch([lambda: project.write("a", "stop")]) == (130, ["", "stop"])
    project.write("a", "tool")
    assert watch([]) == (69, ["tool"])
