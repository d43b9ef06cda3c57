"""render: module metadata -> `.orchestrator/werf.yaml`."""

from dataclasses import dataclass
from typing import Final

from orchestrator import werf_config
from orchestrator.engine.stage import Inputs, Result, Results, Stage
from orchestrator.events import Tell
from orchestrator.fsio import atomic_write, sha256
from orchestrator.stages.context import WORK, Context

CONFIG: Final = f"{WORK}/werf.yaml"


@dataclass(frozen=True)
class Rendered(Result):
    """The hash of the rendered config."""

    sha256: str


def sources(ctx: Context) -> werf_config.Sources:
    """Everything that the config is made from."""
    return werf_config.collect(
        ctx.tree,
        ctx.directory,
        ctx.module,
        ctx.shape,
        args=ctx.settings["build_args"],
        values=ctx.settings["build_values"],
    )


def inputs(ctx: Context, _results: Results) -> Inputs:
    return Inputs(values=sources(ctx).hashes())


def run(ctx: Context, _results: Results, tell: Tell) -> Rendered:
    data = werf_config.make(sources(ctx)).text.encode()
    atomic_write(ctx.directory / CONFIG, data)
    tell("wrote", path=CONFIG)
    return Rendered(sha256=sha256(data))


def probe(_ctx: Context, _result: Rendered) -> str | None:
    return None


STAGE: Final = Stage(
    name="render",
    revision=2,
    needs=(),
    result=Rendered,
    inputs=inputs,
    run=run,
    probe=probe,
    files=lambda result: {CONFIG: result.sha256},
)
