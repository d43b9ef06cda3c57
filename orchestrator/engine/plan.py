"""What to do with a stage and why: pure, the same for build, plan and status."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.engine.journal import Event, Record
from orchestrator.engine.stage import Inputs, Stage


class Kind(StrEnum):
    RUN = "run"
    SKIP = "skip"
    MAYBE = "maybe"


class Reason(StrEnum):
    """The closed list of grounds; earlier ones win."""

    ASKED = "asked"
    NEVER_RAN = "never ran"
    INTERRUPTED = "interrupted"
    FAILED_BEFORE = "failed before"
    REVISION_CHANGED = "stage changed"
    INPUT_CHANGED = "input changed"
    NEED_CHANGED = "need changed"
    UNPINNED = "not pinned"
    OUTPUT_MISSING = "output missing"
    PROBE_FAILED = "probe failed"
    UNCHANGED = "unchanged"
    NEED_RUNS = "need runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What happens to a stage, with its reason."""

    stage: str
    kind: Kind
    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else str(self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was found outside: `missing` is the first lost or changed file, `probe` its finding."""

    missing: str | None = None
    probe: str | None = None


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def decide(
    stage: Stage[Any, Any],
    record: Record | None,
    *,
    inputs: Inputs,
    needs: Mapping[str, str],
    fingerprint: str,
    asked: bool,
    seen: Seen,
) -> Action:
    """The first ground that holds, in the order of Reason."""

    def run(reason: Reason, detail: str = "") -> Action:
        return Action(stage=stage.name, kind=Kind.RUN, reason=reason, detail=detail)

    if asked:
        return run(Reason.ASKED)
    if record is None:
        return run(Reason.NEVER_RAN)
    if record.event is Event.STARTED:
        return run(Reason.INTERRUPTED)
    if record.event is Event.FAILED:
        return run(Reason.FAILED_BEFORE)
    if record.revision != stage.revision:
        return run(Reason.REVISION_CHANGED)
    if dict(record.inputs) != dict(inputs.values):
        return run(Reason.INPUT_CHANGED, _changed(record.inputs, inputs.values))
    if dict(record.needs) != dict(needs):
        return run(Reason.NEED_CHANGED, _changed(record.needs, needs))
    if record.fingerprint != fingerprint:
        return run(Reason.INPUT_CHANGED, "fingerprint")
    if inputs.unpinned is not None:
        return run(Reason.UNPINNED, inputs.unpinned)
    if seen.missing is not None:
        return run(Reason.OUTPUT_MISSING, seen.missing)
    if seen.probe is not None:
        return run(Reason.PROBE_FAILED, seen.probe)
    return Action(stage=stage.name, kind=Kind.SKIP, reason=Reason.UNCHANGED)
