"""digests: built images -> `.orchestrator/images_digests.json`; adopted images are checked here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.artifacts import images_digests
from orchestrator.engine.stage import Inputs, Result, Results, Stage
from orchestrator.events import Tell
from orchestrator.fsio import atomic_write, sha256
from orchestrator.model import Digest
from orchestrator.stages import adopted, build
from orchestrator.stages.context import WORK, Context

FILE: Final = f"{WORK}/images_digests.json"
_ATTESTATION: Final = "-vex-artifact"


@dataclass(frozen=True)
class Collected(Result):
    """The text of images_digests.json; digest and size of adopted images, None where assembled here.

    `imports` are the digests of images that the module image takes files from.
    """

    text: str
    bundle: Mapping[str, Any] | None = None
    release: Mapping[str, Any] | None = None
    imports: Mapping[str, str] = field(default_factory=dict)


def inputs(_ctx: Context, _results: Results) -> Inputs:
    return Inputs(values={})


def run(ctx: Context, results: Results, tell: Tell) -> Collected:
    built = results[build.STAGE]
    bundle, release = (
        built.images[name] if name is not None else None for name in (built.bundle, built.release)
    )
    data = adopted.read_digests(
        ctx, *(Digest.parse(image["digest"]) if image else None for image in (bundle, release))
    )
    if data is None:
        data = images_digests(_asked_for(built.digests()))
    atomic_write(ctx.directory / FILE, data)
    tell("wrote", path=FILE)
    return Collected(text=data.decode(), bundle=bundle, release=release, imports=built.imports)


def _asked_for(digests: Mapping[str, Digest]) -> dict[str, Digest]:
    """Attestations are final images, but nothing runs them."""
    return {name: d for name, d in digests.items() if not name.endswith(_ATTESTATION)}


def probe(_ctx: Context, _result: Collected) -> str | None:
    return None


STAGE: Final = Stage(
    name="digests",
    revision=3,
    needs=(build.STAGE,),
    result=Collected,
    inputs=inputs,
    run=run,
    probe=probe,
    files=lambda result: {FILE: sha256(result.text.encode())},
)
