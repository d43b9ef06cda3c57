"""render: module metadata -> `.orchestrator/werf.yaml`; a config of the module's own stays as it is."""

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
    """The hash of the config, rendered here or the module's own."""

    sha256: str
    written: bool = True


def config(ctx: Context) -> werf_config.WerfConfig:
    """The werf config of the module, and what it needs to be allowed."""
    return werf_config.make(ctx.config_sources)


def inputs(ctx: Context, _results: Results) -> Inputs:
    if ctx.own_config is not None:
        own = ctx.tree.id_of(ctx.own_config) or ""
        return Inputs(values={"config": ctx.own_config, "content": own})
    return Inputs(values=ctx.config_sources.hashes())


def run(ctx: Context, _results: Results, tell: Tell) -> Rendered:
    if ctx.own_config is not None:
        tell("adopted", path=ctx.own_config)
        return Rendered(sha256=sha256(ctx.tree.read(ctx.own_config)), written=False)
    data = config(ctx).text.encode()
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
    files=lambda result: {CONFIG: result.sha256} if result.written else {},
)
