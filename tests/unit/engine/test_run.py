"""The engine on a toy: three stages that write files, with a `world` that may lose them."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.journal import Event, Journal, Record
from orchestrator.engine.plan import Kind
from orchestrator.engine.run import Outcome, Pipeline, Selection
from orchestrator.engine.stage import Inputs, Result, Results, Stage
from orchestrator.errors import Interrupted, OrchestratorError, UsageError, VerificationError
from orchestrator.events import Tell, silent
from orchestrator.fsio import atomic_write, sha256

# In memory where there is such a place: each append is forced to disk.
FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@dataclass
class World:
    """What stages work on; `outside` stands for a registry."""

    root: Path
    source: str = "text"
    tag: str = "v1"
    unpinned: str | None = None
    outside: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    trouble: Callable[[str], None] = lambda _stage: None


@dataclass(frozen=True)
class Made(Result):
    text: str


def _upper(world: World, _results: Results, _tell: Tell) -> Made:
    world.ran.append("upper")
    world.trouble("upper")
    atomic_write(world.root / "upper", world.source.upper().encode())
    return Made(world.source.upper())


def _count(world: World, results: Results, _tell: Tell) -> Made:
    world.ran.append("count")
    world.trouble("count")
    return Made(str(len(results[UPPER].text)))


def _push(world: World, results: Results, _tell: Tell) -> Made:
    world.ran.append("push")
    world.trouble("push")
    world.outside[world.tag] = results[COUNT].text
    return Made(f"{world.tag}={results[COUNT].text}")


def _pushed(world: World, result: Made) -> str | None:
    tag, _, text = result.text.partition("=")
    return None if world.outside.get(tag) == text else f"{tag} is gone"


UPPER: Stage[World, Made] = Stage(
    name="upper",
    revision=1,
    needs=(),
    result=Made,
    inputs=lambda world, _results: Inputs(values={"source": world.source}, unpinned=world.unpinned),
    run=_upper,
    probe=lambda _world, _result: None,
    files=lambda made: {"upper": sha256(made.text.encode())},
)
COUNT: Stage[World, Made] = Stage(
    name="count",
    revision=1,
    needs=(UPPER,),
    result=Made,
    inputs=lambda _world, _results: Inputs(values={}),
    run=_count,
    probe=lambda _world, _result: None,
)
PUSH: Stage[World, Made] = Stage(
    name="push",
    revision=1,
    needs=(COUNT,),
    result=Made,
    inputs=lambda world, _results: Inputs(values={"tag": world.tag}),
    run=_push,
    probe=_pushed,
)
PIPELINE: tuple[Stage[World, Any], ...] = (UPPER, COUNT, PUSH)


def pipeline(world: World, selection: Selection | None = None) -> Pipeline[World]:
    world.ran.clear()
    return Pipeline(
        stages=PIPELINE,
        context=world,
        journal=Journal.read(world.root / "state" / "journal", {}, repair=True),
        root=world.root,
        selection=selection or Selection(),
        clock=lambda: "now",
    )


def execute(world: World, selection: Selection | None = None) -> Outcome:
    return pipeline(world, selection).execute(silent)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_first_all_then_nothing(world: World) -> None:
    assert execute(world).changes
    assert world.ran == ["upper", "count", "push"]
    outcome = execute(world)
    assert world.ran == []
    assert not outcome.changes
    assert outcome.results[PUSH] == Made("v1=4")


def test_equal_results_cut_a_run_short(world: World) -> None:
    execute(world)
    world.source = "word"
    execute(world)
    assert world.ran == ["upper", "count"]


def test_what_is_lost_is_made_again(world: World) -> None:
    execute(world)
    world.outside.clear()
    outcome = execute(world)
    assert world.ran == ["push"]
    assert str(outcome.actions[2]) == "probe failed (v1 is gone)"
    (world.root / "upper").write_text("edited")
    outcome = execute(world)
    assert world.ran == ["upper"]
    assert str(outcome.actions[0]) == "output missing (upper is not what was written)"


def test_an_input_that_is_not_pinned_always_runs(world: World) -> None:
    world.unpinned = "a moving base"
    execute(world)
    execute(world)
    assert world.ran == ["upper"]


def test_a_result_that_does_not_hold_after_the_run_fails_the_stage(world: World) -> None:
    broken = World(world.root, outside=Forgetful())
    with pytest.raises(VerificationError, match="its result does not hold: v1 is gone"):
        execute(broken)
    assert pipeline(world).journal.records["push"].event is Event.FAILED


class Forgetful(dict[str, str]):
    def __setitem__(self, key: str, value: str) -> None:
        pass


def test_a_failure_is_remembered_and_the_run_resumed(world: World) -> None:
    def fail(stage: str) -> None:
        if stage == "count":
            raise OrchestratorError("no")

    world.trouble = fail
    with pytest.raises(OrchestratorError):
        execute(world)
    world.trouble = lambda _stage: None
    outcome = execute(world)
    assert world.ran == ["count", "push"]
    assert [str(action) for action in outcome.actions] == [
        "unchanged",
        "failed before",
        "never ran",
    ]


def test_a_probe_that_cannot_tell_fails_the_run_and_loses_nothing(world: World) -> None:
    """A registry that is down says nothing of what it holds: nothing is made anew for that."""
    execute(world)
    world.outside = Unreachable(world.outside)
    before = (world.root / "state" / "journal").read_bytes()
    for ask in (execute, lambda world: pipeline(world).plan()):
        with pytest.raises(OrchestratorError, match="unreachable"):
            ask(world)
    assert world.ran == []
    assert (world.root / "state" / "journal").read_bytes() == before


class Unreachable(dict[str, str]):
    def get(self, *_arguments: object) -> str:  # type: ignore[override]
        raise OrchestratorError("unreachable")


def test_a_new_revision_runs_that_stage_only(world: World) -> None:
    execute(world)
    world.ran.clear()
    changed = replace(pipeline(world), stages=(UPPER, replace(COUNT, revision=2), PUSH))
    outcome = changed.execute(silent)
    # PUSH needs the COUNT of revision 2, by name: the result is the same, so it is left alone.
    assert world.ran == ["count"]
    assert [str(action) for action in outcome.actions] == [
        "unchanged",
        "stage changed",
        "unchanged",
    ]


def test_a_bug_of_ours_leaves_the_stage_interrupted(world: World) -> None:
    def bug(stage: str) -> None:
        if stage == "push":
            raise ZeroDivisionError

    world.trouble = bug
    with pytest.raises(ZeroDivisionError):
        execute(world)
    world.trouble = lambda _stage: None
    assert str(execute(world).actions[2]) == "interrupted"


@pytest.mark.parametrize("error", [Interrupted(15), OrchestratorError("no"), OSError(5, "no")])
def test_a_journal_that_cannot_be_written_hides_no_ground(
    world: World, error: BaseException
) -> None:
    def stop(_stage: str) -> None:
        journal = world.root / "state" / "journal"
        journal.unlink()
        journal.mkdir()
        raise error

    world.trouble = stop
    with pytest.raises(type(error)) as caught:
        execute(world)
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "says"),
    [(Interrupted(2), "interrupted"), (OrchestratorError("x"), "failed"), (OSError(), "OSError")],
)
def test_the_record_of_a_failure_says_why_but_quotes_nothing(
    world: World, error: BaseException, says: str
) -> None:
    def stop(_stage: str) -> None:
        raise error

    world.trouble = stop
    with pytest.raises(type(error)):
        execute(world)
    assert pipeline(world).journal.records["upper"].error == says


@pytest.mark.parametrize("error", [Interrupted(15), OSError(28, "no space")])
def test_interruptions_and_file_errors_are_recorded(world: World, error: BaseException) -> None:
    def stop(_stage: str) -> None:
        raise error

    world.trouble = stop
    with pytest.raises(type(error)):
        execute(world)
    assert pipeline(world).journal.records["upper"].event is Event.FAILED


def test_selections(world: World) -> None:
    execute(world, Selection(last="count"))
    assert world.ran == ["upper", "count"]
    execute(world, Selection(first="push"))
    assert world.ran == ["push"]
    execute(world, Selection(first="count"))
    assert world.ran == ["count", "push"]
    execute(world, Selection(forced=frozenset({"upper"})))
    assert world.ran == ["upper"]
    with pytest.raises(UsageError, match="comes after"):
        execute(world, Selection(first="push", last="upper"))


@pytest.mark.parametrize(
    ("selection", "says"),
    [
        (
            Selection(last="upper", forced=frozenset({"push"})),
            "--force push is beside what --until",
        ),
        (
            Selection(first="push", forced=frozenset({"upper"})),
            "--force upper is beside what --from",
        ),
        (Selection(first="push", forced=frozenset({"push", "upper"})), "--force upper is beside"),
    ],
)
def test_force_beside_the_selection_is_refused(
    world: World, selection: Selection, says: str
) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        execute(world, selection)
    assert caught.value.hint
    assert "upper, count, push" in caught.value.hint
    assert world.ran == []


def test_all_forced_are_all_selected(world: World) -> None:
    execute(world, Selection())
    everything = frozenset({"upper", "count", "push"})
    execute(world, Selection(first="count", forced=everything))
    assert world.ran == ["count", "push"]
    execute(world, Selection(last="count", forced=everything))
    assert world.ran == ["upper", "count"]


def test_from_needs_what_was_before(world: World) -> None:
    with pytest.raises(UsageError, match="stage upper has to run first: never ran"):
        execute(world, Selection(first="push"))
    assert world.ran == []


SELECTIONS = [
    Selection(first=first, last=last, forced=frozenset(forced))
    for first in (None, "upper", "count", "push")
    for last in (None, "upper", "count", "push")
    for forced in ((), ("upper",), ("count", "push"))
]


@pytest.mark.parametrize("done", [None, "upper", "push"])
def test_a_plan_selects_and_refuses_as_a_run_does(world: World, done: str | None) -> None:
    for number, selection in enumerate(SELECTIONS):
        each = World(world.root / str(number))
        if done:
            execute(each, Selection(last=done))
        said = attempt(pipeline(each, selection).plan)
        did = attempt(partial(pipeline(each, selection).execute, silent))
        if isinstance(said, str) or isinstance(did, str):
            assert said == did, selection
            assert each.ran == [], selection
            continue
        for one, other in zip(said.actions, did.actions, strict=True):
            assert one.stage == other.stage
            assert one.kind is other.kind or one.kind is Kind.MAYBE, selection


def attempt(ask: Callable[[], Outcome]) -> Outcome | str:
    try:
        return ask()
    except UsageError as error:
        return str(error)


def test_a_plan_writes_nothing(world: World) -> None:
    pipeline(world).plan()
    assert list(world.root.iterdir()) == []
    execute(world)
    world.outside.clear()
    before = (world.root / "state" / "journal").read_bytes()
    assert pipeline(world).plan().changes
    assert (world.root / "state" / "journal").read_bytes() == before
    assert world.ran == []


def test_a_record_of_another_shape_is_no_result(world: World) -> None:
    execute(world)
    journal = pipeline(world).journal
    old = journal.records["push"]
    journal.append(
        Record(
            stage="push",
            event=Event.DONE,
            revision=1,
            fingerprint=old.fingerprint,
            inputs=old.inputs,
            needs=old.needs,
            result={"other": 1},
        )
    )
    outcome = execute(world)
    assert world.ran == ["push"]
    assert "another shape" in str(outcome.actions[2])


PERTURBATIONS: dict[str, Callable[[World], None]] = {
    "source": lambda world: setattr(world, "source", world.source + "x"),
    "same length": lambda world: setattr(world, "source", world.source[::-1]),
    "tag": lambda world: setattr(world, "tag", world.tag + "1"),
    "lost": lambda world: world.outside.clear(),
    "file": lambda world: (world.root / "upper").unlink(missing_ok=True),
    "unpinned": lambda world: setattr(world, "unpinned", "x"),
    "journal": lambda world: (world.root / "state" / "journal").unlink(missing_ok=True),
}


@given(st.lists(st.sampled_from(sorted(PERTURBATIONS)), max_size=5))
def test_a_plan_says_what_a_run_does(names: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir=FAST) as scratch:
        world = World(Path(scratch))
        execute(world)
        for name in names:
            PERTURBATIONS[name](world)
            planned = pipeline(world).plan()
            done = execute(world)
            for said, did in zip(planned.actions, done.actions, strict=True):
                assert said.kind is did.kind or said.kind is Kind.MAYBE
            assert planned.changes >= done.changes


@pytest.mark.parametrize("stage", [stage.name for stage in PIPELINE])
@pytest.mark.parametrize("when", ["started", "running", "done"])
def test_killed_anywhere_it_ends_the_same(world: World, stage: str, when: str) -> None:
    child = os.fork()
    if child == 0:
        _die(world, stage, when)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    execute(world)
    assert (world.root / "upper").read_text() == "TEXT"
    assert world.outside == {"v1": "4"}
    execute(world)
    assert world.ran == []


def _die(world: World, stage: str, when: str) -> None:
    run = pipeline(world)
    append = run.journal.append

    def dying(record: Record) -> None:
        append(record)
        if record.stage == stage and record.event == when:
            os._exit(9)

    run.journal.append = dying  # type: ignore[method-assign]
    if when == "running":
        world.trouble = lambda name: os._exit(9) if name == stage else None
    run.execute(silent)
    os._exit(1)
