"""module: the module's files and images_digests.json -> the module image `R/M:VERSION`."""

from dataclasses import dataclass
from typing import Final

from orchestrator.artifacts import bundle_paths
from orchestrator.engine.stage import Inputs, Result, Results, Stage
from orchestrator.events import Tell
from orchestrator.fsio import canonical_json, sha256
from orchestrator.model import Digest
from orchestrator.registry import image as image_
from orchestrator.stages import digests, published, render
from orchestrator.stages.context import Context


@dataclass(frozen=True)
class Published(Result):
    """Tag, digest and size in bytes of an image, as the registry answers for them."""

    tag: str
    digest: str
    size: int


def paths(ctx: Context) -> list[str]:
    """The files of the module's tree that its image holds."""
    return bundle_paths(ctx.tree.paths())


def inputs(ctx: Context, _results: Results) -> Inputs:
    files = [(path, ctx.tree.id_of(path), ctx.tree.executable(path)) for path in paths(ctx)]
    values = {
        "files": sha256(canonical_json(files)),
        "version": ctx.version,
        "repository": ctx.target,
    }
    if ctx.release:
        values |= {"commit": ctx.snapshot.commit, "created": ctx.created or ""}
    return Inputs(values=values)


def source(ctx: Context, results: Results) -> published.Origin:
    """What a published image was made from, to be told from another by its annotations alone."""
    made_from = {**inputs(ctx, results).values, "config": results[render.STAGE].sha256}
    del made_from["repository"]
    return published.Origin(
        commit=ctx.snapshot.commit if ctx.release else "",
        inputs=sha256(canonical_json(made_from)),
    )


def run(ctx: Context, results: Results, tell: Tell) -> Published:
    origin = source(ctx, results)
    bundle = results[digests.STAGE].bundle
    if bundle is not None:
        image: published.Ready = published.Adopted.read(ctx, bundle)
    else:
        image = _assembled(ctx, results, origin)
    release = results[digests.STAGE].release
    pair = Digest.parse(release["digest"]) if release is not None else None
    digest = published.settle_module(ctx, image, origin, tell, pair=pair)
    if bundle is not None:
        published.attest(ctx, digest, ctx.repository, tell)
    return Published(tag=ctx.version, digest=digest, size=image.size)


def _assembled(ctx: Context, results: Results, origin: published.Origin) -> image_.Image:
    contents = ctx.tree.read_all(paths(ctx))
    files = [
        image_.LayerFile(path=path, data=data, executable=ctx.tree.executable(path))
        for path, data in contents.items()
    ]
    collected = results[digests.STAGE].text.encode()
    files.append(image_.LayerFile(path="images_digests.json", data=collected, executable=False))
    return image_.assemble(
        files, annotations=published.annotations(ctx, origin), created=ctx.created
    )


def probe(ctx: Context, result: Published) -> str | None:
    return published.moved(ctx, ctx.repository.tagged(result.tag), Digest.parse(result.digest))


STAGE: Final = Stage(
    name="module",
    revision=1,
    needs=(render.STAGE, digests.STAGE),
    result=Published,
    inputs=inputs,
    run=run,
    probe=probe,
)
