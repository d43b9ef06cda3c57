"""What a stage is: named inputs, a result, and a probe that asks the outside whether it still holds."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Generic, Self, TypeVar, cast

from orchestrator.events import Tell
from orchestrator.fsio import canonical_json, sha256

SCHEMA: Final = 1

C = TypeVar("C")
T = TypeVar("T", bound="Result")
R = TypeVar("R", bound="Result")


@dataclass(frozen=True)
class Result:
    """Base of what stages return: plain JSON values in the fields of a frozen dataclass."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Raises TypeError, ValueError or KeyError where the value has another shape."""
        return cls(**value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything a result depends on, name -> value or hash: no secret, no clock, no mtime.

    `unpinned` names an input that cannot be seen from here, so that the stage always runs.
    """

    values: Mapping[str, str]
    unpinned: str | None = None


def _no_files(_result: Any) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage(Generic[C, T]):
    """`needs` are stages, not names; bump `revision` when the meaning of the result changes.

    `probe` returns what no longer holds, or None. `files` are the outputs below the work tree,
    path -> sha256.
    """

    name: str
    revision: int
    needs: tuple["Stage[C, Any]", ...]
    result: type[T]
    inputs: Callable[[C, "Results"], Inputs]
    run: Callable[[C, "Results", Tell], T]
    probe: Callable[[C, T], str | None]
    files: Callable[[T], Mapping[str, str]] = field(default=_no_files)


class Results:
    """Results so far; a stage is the key to its own type of result."""

    def __init__(self) -> None:
        self._values: dict[str, Result] = {}

    def __getitem__(self, stage: Stage[Any, R]) -> R:
        return cast("R", self._values[stage.name])

    def __contains__(self, stage: Stage[Any, Any]) -> bool:
        return stage.name in self._values

    def set(self, stage: Stage[Any, R], value: R) -> None:
        self._values[stage.name] = value

    def hashes(self, stages: tuple[Stage[Any, Any], ...]) -> dict[str, str]:
        """Stage name -> hash of its result: equal results cut a re-run short."""
        return {s.name: sha256(canonical_json(self._values[s.name].to_json())) for s in stages}


def fingerprint(stage: Stage[Any, Any], inputs: Inputs, needs: Mapping[str, str]) -> str:
    """One hash of all that the result depends on."""
    return sha256(
        canonical_json(
            {
                "schema": SCHEMA,
                "stage": stage.name,
                "revision": stage.revision,
                "inputs": dict(inputs.values),
                "needs": dict(needs),
            }
        )
    )


def check_order(pipeline: tuple[Stage[Any, Any], ...]) -> None:
    """A stage's needs stand before it and names are unique; anything else is our bug."""
    seen: set[str] = set()
    for stage in pipeline:
        if stage.name in seen or any(need.name not in seen for need in stage.needs):
            raise AssertionError(f"stage {stage.name} is out of order")
        seen.add(stage.name)
