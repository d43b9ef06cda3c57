"""render: module metadata -> `.orchestrator/werf.yaml`."""

from dataclasses import dataclass
from typing import Final

from orchestrator import templating
from orchestrator.engine.stage import Inputs, Result, Results, Stage
from orchestrator.events import Tell
from orchestrator.fsio import atomic_write, sha256
from orchestrator.stages.context import WORK, Context

CONFIG: Final = f"{WORK}/werf.yaml"


@dataclass(frozen=True)
class Rendered(Result):
    """The hash of the rendered config."""

    sha256: str


def text(ctx: Context) -> str:
    """The werf config of the module."""
    return templating.werf_config(
        ctx.module, args=ctx.settings["build_args"], values=ctx.settings["build_values"]
    )


def inputs(ctx: Context, _results: Results) -> Inputs:
    values = templating.werf_inputs(
        ctx.module, args=ctx.settings["build_args"], values=ctx.settings["build_values"]
    )
    return Inputs(values=values)


def run(ctx: Context, _results: Results, tell: Tell) -> Rendered:
    data = text(ctx).encode()
    atomic_write(ctx.directory / CONFIG, data)
    tell("wrote", path=CONFIG)
    return Rendered(sha256=sha256(data))


def probe(_ctx: Context, _result: Rendered) -> str | None:
    return None


STAGE: Final = Stage(
    name="render",
    revision=1,
    needs=(),
    result=Rendered,
    inputs=inputs,
    run=run,
    probe=probe,
    files=lambda result: {CONFIG: result.sha256},
)
