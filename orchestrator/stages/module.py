"""module: the module's files and images_digests.json -> the module image `R/M:VERSION`."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from orchestrator import artifacts, bundle
from orchestrator.engine.stage import Inputs, Result, Results, Stage
from orchestrator.events import Tell
from orchestrator.fsio import canonical_json, sha256
from orchestrator.inspection.take import take
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


def sources(ctx: Context) -> dict[str, str]:
    """File in the module image -> file of the module's tree."""
    return bundle.module_files(ctx.tree.paths(), ctx.shape, ctx.imports)


def inputs(ctx: Context, _results: Results) -> Inputs:
    files = [
        (name, ctx.tree.id_of(path), ctx.tree.executable(path))
        for name, path in sources(ctx).items()
    ]
    values = {
        "files": sha256(canonical_json(files)),
        "version": ctx.version,
        "repository": ctx.target,
    }
    if ctx.release:
        values |= {"commit": ctx.snapshot.commit, "created": ctx.created or ""}
    if ctx.shape.version_json or ctx.shape.release_notes or ctx.imports:
        more = [ctx.shape.version_json, _changelogs(ctx), [[i.image, i.path] for i in ctx.imports]]
        values["generated"] = sha256(canonical_json(more))
    return Inputs(values=values)


def _changelogs(ctx: Context) -> dict[str, str]:
    """Changelog -> its id, for release notes."""
    paths = bundle.note_files(ctx.tree.paths()) if ctx.shape.release_notes else {}
    return {path: ctx.tree.id_of(path) or "" for path in paths}


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
    adopted = results[digests.STAGE].bundle
    if adopted is not None:
        image: published.Ready = published.Adopted.read(ctx, adopted)
    else:
        image = _assembled(ctx, results, origin)
    release = results[digests.STAGE].release
    pair = Digest.parse(release["digest"]) if release is not None else None
    digest = published.settle_module(ctx, image, origin, tell, pair=pair)
    if adopted is not None:
        published.attest(ctx, digest, ctx.repository, tell)
    return Published(tag=ctx.version, digest=digest, size=image.size)


def _assembled(ctx: Context, results: Results, origin: published.Origin) -> image_.Image:
    chosen = sources(ctx)
    contents = ctx.tree.read_all(sorted(set(chosen.values())))
    files = {
        name: image_.LayerFile(path=name, data=contents[path], executable=ctx.tree.executable(path))
        for name, path in chosen.items()
    }
    for file in (*_generated(ctx, results), *_imported(ctx, results)):
        files[file.path] = file
    return image_.assemble(
        files.values(), annotations=published.annotations(ctx, origin), created=ctx.created
    )


def _generated(ctx: Context, results: Results) -> Iterator[image_.LayerFile]:
    text = results[digests.STAGE].text
    yield image_.LayerFile(path=artifacts.DIGESTS_FILE, data=text.encode())
    if ctx.shape.version_json:
        yield image_.LayerFile(path="version.json", data=artifacts.version_json(ctx.chosen.version))
    notes = bundle.release_notes(ctx.tree.read_all(sorted(_changelogs(ctx))))
    for path, data in notes.items():
        yield image_.LayerFile(path=path, data=data)


def _imported(ctx: Context, results: Results) -> Iterator[image_.LayerFile]:
    """What other images were built for: compiled hooks, fetched libraries."""
    built = results[digests.STAGE].imports
    for each in ctx.imports:
        reference = ctx.stages_repository.at(Digest.parse(built[each.image]))
        for file in take(ctx.registry, reference, each.path):
            path = f"{each.into}/{file.path}" if file.path else each.target
            yield replace(file, path=path)


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
