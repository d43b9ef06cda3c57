"""decide(): every ground, in its order."""

from dataclasses import dataclass
from typing import Any

import pytest

from orchestrator.engine.journal import Event, Record
from orchestrator.engine.plan import Action, Kind, Reason, Seen, decide
from orchestrator.engine.stage import Inputs, Result, Stage, check_order, fingerprint


@dataclass(frozen=True)
class Nothing(Result):
    pass


def stage(name: str = "s", *needs: Stage[Any, Any], revision: int = 1) -> Stage[Any, Any]:
    return Stage(
        name=name,
        revision=revision,
        needs=needs,
        result=Nothing,
        inputs=lambda _ctx, _results: Inputs(values={}),
        run=lambda _ctx, _results, _tell: Nothing(),
        probe=lambda _ctx, _result: None,
    )


VALUES = {"a": "1", "b": "2"}
NEEDS = {"before": "sha256:1"}


def action(
    record: Record | None = None,
    *,
    asked: bool = False,
    seen: Seen | None = None,
    unpinned: str | None = None,
    values: dict[str, str] | None = None,
    needs: dict[str, str] | None = None,
    revision: int = 1,
) -> Action:
    one = stage(revision=revision)
    inputs = Inputs(values=values or VALUES, unpinned=unpinned)
    own_needs = needs or NEEDS
    return decide(
        one,
        record,
        inputs=inputs,
        needs=own_needs,
        fingerprint=fingerprint(one, inputs, own_needs),
        asked=asked,
        seen=seen or Seen(),
    )


def record(event: Event = Event.DONE, **more: Any) -> Record:
    one = stage()
    given: dict[str, Any] = {
        "revision": 1,
        "fingerprint": fingerprint(one, Inputs(values=VALUES), NEEDS),
        "inputs": VALUES,
        "needs": NEEDS,
    }
    return Record(stage="s", event=event, **{**given, **more})


def test_the_order_of_grounds() -> None:
    seen = Seen(missing="file is gone", probe="tag is gone")
    changed = {"a": "9", "c": "3"}
    moved = {"before": "sha256:2"}
    worst = {"seen": seen, "unpinned": "no digest"}
    rows = [
        (Reason.ASKED, "", {**worst, "asked": True}, None),
        (Reason.NEVER_RAN, "", worst, None),
        (Reason.INTERRUPTED, "", {**worst, "revision": 2}, record(Event.STARTED)),
        (Reason.FAILED_BEFORE, "", {**worst, "revision": 2}, record(Event.FAILED)),
        (Reason.REVISION_CHANGED, "", {**worst, "revision": 2, "values": changed}, record()),
        (Reason.INPUT_CHANGED, "a, b, c", {**worst, "values": changed, "needs": moved}, record()),
        (Reason.NEED_CHANGED, "before", {**worst, "needs": moved}, record()),
        (Reason.INPUT_CHANGED, "fingerprint", worst, record(fingerprint="sha256:9")),
        (Reason.UNPINNED, "no digest", worst, record()),
        (Reason.OUTPUT_MISSING, "file is gone", {"seen": seen}, record()),
        (Reason.PROBE_FAILED, "tag is gone", {"seen": Seen(probe="tag is gone")}, record()),
    ]
    for reason, detail, given, old in rows:
        found = action(old, **given)
        assert (found.kind, found.reason, found.detail) == (Kind.RUN, reason, detail)
    found = action(record())
    assert (found.kind, found.reason) == (Kind.SKIP, Reason.UNCHANGED)
    covered = {reason for reason, *_ in rows} | {Reason.UNCHANGED, Reason.NEED_RUNS}
    assert covered == set(Reason)


def test_many_changed_inputs_are_counted() -> None:
    found = action(record(), values={str(number): "x" for number in range(6)})
    assert found.detail == "0, 1, 2 and 5 more"


def test_a_pipeline_out_of_order_is_our_bug() -> None:
    first = stage("first")
    second = stage("second", first)
    check_order((first, second))
    for wrong in ((second, first), (first, first)):
        with pytest.raises(AssertionError):
            check_order(wrong)
