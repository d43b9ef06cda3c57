"""The pipeline of a module: render -> build -> digests -> module -> release -> register -> verify.

Contents first, names last: a stage writes nothing that a reader could follow to something missing.
"""

from typing import Any, Final

from orchestrator.engine.stage import Stage, check_order
from orchestrator.stages import build, digests, module, register, release, render, verify
from orchestrator.stages.context import Context

PIPELINE: Final[tuple[Stage[Context, Any], ...]] = (
    render.STAGE,
    build.STAGE,
    digests.STAGE,
    module.STAGE,
    release.STAGE,
    register.STAGE,
    verify.STAGE,
)
check_order(PIPELINE)
