"""register: the catalog tag `R:M`, by whose existence DKP lists the module."""

from dataclasses import dataclass
from typing import Final

from orchestrator.engine.stage import Inputs, Result, Results, Stage
from orchestrator.events import Tell
from orchestrator.registry import image as image_
from orchestrator.stages.context import Context


@dataclass(frozen=True)
class Registered(Result):
    """The digest behind the catalog tag; its content is never read."""

    digest: str


def inputs(ctx: Context, _results: Results) -> Inputs:
    return Inputs(values={"source": ctx.stable(ctx.source), "name": ctx.module.name})


def run(ctx: Context, _results: Results, tell: Tell) -> Registered:
    reference = ctx.source.tagged(ctx.module.name)
    there = ctx.registry.head(reference)
    if there is not None:
        tell("kept", reference=str(reference), digest=there.digest)
        return Registered(digest=there.digest)
    image = image_.assemble((), annotations={}, created=None)
    digest = image_.push(ctx.registry, image, reference)
    tell("pushed", reference=str(reference), digest=digest)
    return Registered(digest=digest)


def probe(ctx: Context, _result: Registered) -> str | None:
    # d8 mirror writes catalog tags of its own, so any manifest under the name will do.
    if ctx.registry.head(ctx.source.tagged(ctx.module.name)) is None:
        return f"{ctx.stable(ctx.source)}:{ctx.module.name} is gone"
    return None


STAGE: Final = Stage(
    name="register",
    revision=1,
    # No need of the release's result: its place in the pipeline, after the release, is what counts.
    needs=(),
    result=Registered,
    inputs=inputs,
    run=run,
    probe=probe,
)
