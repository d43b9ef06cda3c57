"""release: version.json, module.yaml and the changelog -> `R/M/release:VERSION`."""

from typing import Final

from orchestrator import bundle
from orchestrator.artifacts import version_json
from orchestrator.engine.stage import Inputs, Results, Stage
from orchestrator.events import Tell
from orchestrator.model import Digest
from orchestrator.registry import image as image_
from orchestrator.stages import digests, module, published
from orchestrator.stages.context import Context


def _sources(ctx: Context) -> dict[str, str]:
    """File in the release image -> file of the module's tree."""
    return bundle.release_files(ctx.tree.paths(), ctx.shape, ctx.version)


def inputs(ctx: Context, _results: Results) -> Inputs:
    files = {name: ctx.tree.id_of(path) or "" for name, path in _sources(ctx).items()}
    return Inputs(values={**files, "version": ctx.version, "repository": ctx.target})


def run(ctx: Context, results: Results, tell: Tell) -> module.Published:
    named = Digest.parse(results[module.STAGE].digest)
    adopted = results[digests.STAGE].release
    if adopted is not None:
        image: published.Ready = published.Adopted.read(ctx, adopted)
    else:
        image = _assembled(ctx, named)
    digest = published.settle_release(ctx, image, named, tell)
    if adopted is not None:
        published.attest(ctx, digest, ctx.releases, tell)
    return module.Published(tag=ctx.version, digest=digest, size=image.size)


def _assembled(ctx: Context, named: Digest) -> image_.Image:
    sources = _sources(ctx)
    contents = ctx.tree.read_all(sorted(set(sources.values())))
    files = [
        image_.LayerFile(path=name, data=contents[path], executable=False)
        for name, path in sources.items()
    ]
    version = version_json(ctx.chosen.version)
    files.append(image_.LayerFile(path="version.json", data=version, executable=False))
    return image_.assemble(
        files,
        annotations=published.release_annotations(ctx, named),
        created=ctx.created,
    )


def probe(ctx: Context, result: module.Published) -> str | None:
    return published.moved(ctx, ctx.releases.tagged(result.tag), Digest.parse(result.digest))


STAGE: Final = Stage(
    name="release",
    revision=1,
    needs=(digests.STAGE, module.STAGE),
    result=module.Published,
    inputs=inputs,
    run=run,
    probe=probe,
)
