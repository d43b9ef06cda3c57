"""digests: built images -> `.orchestrator/images_digests.json`; adopted images are checked here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.artifacts import images_digests
from orchestrator.engine.stage import Inputs, Result, Results, Stage
from orchestrator.events import Tell
from orchestrator.fsio import atomic_write, sha256
from orchestrator.model import Digest
from orchestrator.stages import adopted, build
from orchestrator.stages.context import WORK, Context

FILE: Final = f"{WORK}/images_digests.json"


@dataclass(frozen=True)
class Collected(Result):
    """The text of images_digests.json; digest and size of adopted images, None where assembled here."""

    text: str
    bundle: Mapping[str, Any] | None = None
    release: Mapping[str, Any] | None = None


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
        data = images_digests(built.digests())
    atomic_write(ctx.directory / FILE, data)
    tell("wrote", path=FILE)
    return Collected(text=data.decode(), bundle=bundle, release=release)


def probe(_ctx: Context, _result: Collected) -> str | None:
    return None


STAGE: Final = Stage(
    name="digests",
    revision=2,
    needs=(build.STAGE,),
    result=Collected,
    inputs=inputs,
    run=run,
    probe=probe,
    files=lambda result: {FILE: sha256(result.text.encode())},
)
