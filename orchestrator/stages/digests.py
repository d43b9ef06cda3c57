"""digests: built images -> `.orchestrator/images_digests.json`."""

from dataclasses import dataclass
from typing import Final

from orchestrator.artifacts import images_digests
from orchestrator.engine.stage import Inputs, Result, Results, Stage
from orchestrator.events import Tell
from orchestrator.fsio import atomic_write, sha256
from orchestrator.stages import build
from orchestrator.stages.context import WORK, Context

FILE: Final = f"{WORK}/images_digests.json"


@dataclass(frozen=True)
class Collected(Result):
    """The text of images_digests.json."""

    text: str


def inputs(_ctx: Context, _results: Results) -> Inputs:
    return Inputs(values={})


def run(ctx: Context, results: Results, tell: Tell) -> Collected:
    data = images_digests(results[build.STAGE].digests())
    atomic_write(ctx.directory / FILE, data)
    tell("wrote", path=FILE)
    return Collected(text=data.decode())


def probe(_ctx: Context, _result: Collected) -> str | None:
    return None


STAGE: Final = Stage(
    name="digests",
    revision=1,
    needs=(build.STAGE,),
    result=Collected,
    inputs=inputs,
    run=run,
    probe=probe,
    files=lambda result: {FILE: sha256(result.text.encode())},
)
