"""verify: the published version, read back from the registry with all that it names."""

from dataclasses import dataclass
from typing import Final

from orchestrator.engine.stage import Inputs, Result, Results, Stage
from orchestrator.errors import VerificationError
from orchestrator.events import Tell
from orchestrator.model import Digest
from orchestrator.stages import module, release
from orchestrator.stages.context import Context
from orchestrator.verify.run import verify


@dataclass(frozen=True)
class Verified(Result):
    """How much was read, and how many warnings there were."""

    images: int
    blobs: int
    warnings: int


def inputs(ctx: Context, _results: Results) -> Inputs:
    return Inputs(values={"repository": ctx.target})


def run(ctx: Context, results: Results, tell: Tell) -> Verified:
    published = Digest(results[module.STAGE].digest)
    found = verify(ctx.registry, ctx.repository, ctx.version, expected=published)
    for warning in found.warnings:
        tell("warning", text=f"{warning}; {warning.fix}")
    if found.errors:
        raise VerificationError(
            f"{ctx.module_reference} is published, but breaks {len(found.errors)} rules",
            hint=f"orchestrator verify {ctx.module_reference} tells more",
            details="\n".join(f"{error}\n  -> {error.fix}" for error in found.errors),
        )
    tell("verified", reference=str(ctx.module_reference), images=found.images, blobs=found.blobs)
    return Verified(images=found.images, blobs=found.blobs, warnings=len(found.warnings))


def probe(_ctx: Context, _result: Verified) -> str | None:
    # What it has read is what the stages before it probe.
    return None


STAGE: Final = Stage(
    name="verify",
    revision=1,
    needs=(module.STAGE, release.STAGE),
    result=Verified,
    inputs=inputs,
    run=run,
    probe=probe,
)
