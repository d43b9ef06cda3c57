"""Plan a pipeline, or carry it out: decide, run, probe, remember, stage by stage."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from orchestrator.engine.journal import Event, Journal, Record
from orchestrator.engine.plan import Action, Kind, Reason, Seen, decide
from orchestrator.engine.stage import C, Inputs, Result, Results, Stage, fingerprint
from orchestrator.errors import Interrupted, OrchestratorError, UsageError, VerificationError
from orchestrator.events import Tell
from orchestrator.fsio import sha256_file
from orchestrator.parallel import spawn

if TYPE_CHECKING:
    from concurrent.futures import Future


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which stages: `first` and those after it are asked for; stages before it are only remembered."""

    first: str | None = None
    last: str | None = None
    forced: frozenset[str] = frozenset()

    def cut(self, pipeline: tuple[Stage[Any, Any], ...]) -> tuple[Stage[Any, Any], ...]:
        """The pipeline up to `last`."""
        names = [stage.name for stage in pipeline]
        end = len(names) if self.last is None else names.index(self.last) + 1
        start = 0 if self.first is None else names.index(self.first)
        if start >= end:
            raise UsageError(
                f"--from {self.first} comes after --until {self.last}",
                hint=f"the stages in order: {', '.join(names)}",
            )
        beside = [name for name in (*names[:start], *names[end:]) if name in self.forced]
        if beside and not self.forced.issuperset(names):
            option = (
                f"--from {self.first}" if beside[0] in names[:start] else f"--until {self.last}"
            )
            raise UsageError(
                f"--force {beside[0]} is beside what {option} selects, so it would not be run",
                hint=f"leave one of them out; the stages in order: {', '.join(names)}",
            )
        return pipeline[:end]

    def before_first(self, pipeline: tuple[Stage[Any, Any], ...], name: str) -> bool:
        names = [stage.name for stage in pipeline]
        return self.first is not None and names.index(name) < names.index(self.first)

    def asked(self, pipeline: tuple[Stage[Any, Any], ...], name: str) -> bool:
        """By --from, or by --force, which reaches no stage before it."""
        if self.before_first(pipeline, name):
            return False
        return self.first is not None or name in self.forced


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of each stage; `results` has those that hold."""

    actions: list[Action] = field(default_factory=list)
    results: Results = field(default_factory=Results)

    @property
    def changes(self) -> bool:
        return any(action.kind is not Kind.SKIP for action in self.actions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline(Generic[C]):
    """Stages with what they work on; `root` is the work tree, `clock` gives an ISO time for the journal."""

    stages: tuple[Stage[C, Any], ...]
    context: C
    journal: Journal
    root: Path
    selection: Selection
    clock: Callable[[], str]

    def plan(self) -> Outcome:
        """What a run would do now. Behind a stage that runs nothing is certain."""
        outcome = Outcome()
        pending: set[str] = set()
        seen = self._probes()
        for stage in self.selection.cut(self.stages):
            waits = next((need.name for need in stage.needs if need.name in pending), None)
            if waits is not None and not self.selection.asked(self.stages, stage.name):
                action = Action(
                    stage=stage.name, kind=Kind.MAYBE, reason=Reason.NEED_RUNS, detail=waits
                )
            elif waits is not None:
                action = Action(stage=stage.name, kind=Kind.RUN, reason=Reason.ASKED)
            else:
                action = self._assess(stage, outcome.results, seen).action
            self._refuse_before_first(stage, action)
            outcome.actions.append(action)
            if action.kind is Kind.SKIP:
                outcome.results.set(stage, self._remembered(stage))
            else:
                pending.add(stage.name)
        return outcome

    def execute(self, tell: Tell, outcome: Outcome | None = None) -> Outcome:
        """Bring every selected stage to a result that holds; raises what the failing stage raised.

        `outcome` is filled as it goes, so that a caller has it after a failure too.
        """
        outcome = Outcome() if outcome is None else outcome
        seen = self._probes()
        for stage in self.selection.cut(self.stages):
            assessed = self._assess(stage, outcome.results, seen)
            action = assessed.action
            self._refuse_before_first(stage, action)
            outcome.actions.append(action)
            tell("stage", stage=stage.name, state=action.kind, reason=str(action))
            if action.kind is Kind.SKIP:
                result = self._remembered(stage)
            else:
                result = self._run(stage, assessed, outcome.results, tell)
            outcome.results.set(stage, result)
        return outcome

    def _refuse_before_first(self, stage: Stage[C, Any], action: Action) -> None:
        before = self.selection.before_first(self.stages, stage.name)
        if before and action.kind is not Kind.SKIP:
            raise UsageError(
                f"stage {stage.name} has to run first: {action}",
                hint=f"run again without --from {self.selection.first}",
            )

    def _run(
        self, stage: Stage[C, Any], assessed: "_Assessed", results: Results, tell: Tell
    ) -> Result:
        def record(event: Event, **more: Any) -> None:
            self.journal.append(
                Record(
                    stage=stage.name,
                    event=event,
                    revision=stage.revision,
                    fingerprint=assessed.fingerprint,
                    inputs=dict(assessed.inputs.values),
                    needs=assessed.needs,
                    at=self.clock(),
                    **more,
                )
            )

        record(Event.STARTED)
        try:
            result: Result = stage.run(self.context, results, tell)
            files = stage.files(result)
            broken = self._missing(files) or stage.probe(self.context, result)
            if broken is not None:
                raise VerificationError(
                    f"stage {stage.name} ran, but its result does not hold: {broken}",
                    hint="run the same command again; if it stays, something else changes the target",
                )
        except (Interrupted, OrchestratorError, OSError) as error:
            # Where the disk is full this line is lost too; the started one then tells enough.
            with suppress(OSError):
                record(Event.FAILED, error=_ground(error))
            if isinstance(error, OrchestratorError):
                error.stage = stage.name
            raise
        record(Event.DONE, result=result.to_json(), files=dict(files))
        tell("stage", stage=stage.name, state="done")
        return result

    def _assess(
        self, stage: Stage[C, Any], results: Results, seen: Callable[[str], Seen]
    ) -> "_Assessed":
        inputs = stage.inputs(self.context, results)
        needs = results.hashes(stage.needs)
        print_ = fingerprint(stage, inputs, needs)
        action = decide(
            stage,
            self.journal.records.get(stage.name),
            inputs=inputs,
            needs=needs,
            fingerprint=print_,
            asked=self.selection.asked(self.stages, stage.name),
            seen=seen(stage.name),
        )
        return _Assessed(action=action, inputs=inputs, needs=needs, fingerprint=print_)

    def _remembered(self, stage: Stage[C, Any]) -> Result:
        record = self.journal.records[stage.name]
        result: Result = stage.result.from_json(record.result or {})
        return result

    def _missing(self, files: Mapping[str, str]) -> str | None:
        for path, expected in sorted(files.items()):
            found = sha256_file(self.root / path)
            if found != expected:
                return f"{path} is {'gone' if found is None else 'not what was written'}"
        return None

    def _see(self, stage: Stage[C, Any], record: Record) -> Seen:
        missing = self._missing(record.files)
        if missing is not None:
            return Seen(missing=missing)
        try:
            result = stage.result.from_json(record.result or {})
        except (TypeError, ValueError, KeyError):
            return Seen(probe="its recorded result is of another shape")
        return Seen(probe=stage.probe(self.context, result))

    def _probes(self) -> Callable[[str], Seen]:
        """All remembered results are probed at once: a round trip, not one a stage."""
        futures: dict[str, Future[Seen]] = {}
        for stage in self.selection.cut(self.stages):
            record = self.journal.records.get(stage.name)
            if record is not None and record.event is Event.DONE:
                futures[stage.name] = spawn(partial(self._see, stage, record))
        return lambda name: futures[name].result() if name in futures else Seen()


def _ground(error: BaseException) -> str:
    if isinstance(error, Interrupted):
        return "interrupted"
    return error.category if isinstance(error, OrchestratorError) else type(error).__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class _Assessed:
    action: Action
    inputs: Inputs
    needs: Mapping[str, str]
    fingerprint: str
