"""build: werf config -> application images in R/M under their content-based tags."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.builders import BuildReport, BuildRequest, BuiltImage, dockerfile
from orchestrator.engine.stage import Inputs, Result, Results, Stage
from orchestrator.errors import BuildFailed, VerificationError
from orchestrator.events import Tell
from orchestrator.fsio import canonical_json, sha256
from orchestrator.model import Digest
from orchestrator.module import ImageKind
from orchestrator.registry.copy import copy
from orchestrator.stages import preflight, published, render
from orchestrator.stages.context import Context

LOG: Final = "build.log"


@dataclass(frozen=True)
class Built(Result):
    """Final image name -> its digest, its tag in R/M, its size in bytes as the registry holds it."""

    images: Mapping[str, Mapping[str, Any]]

    def digests(self) -> dict[str, Digest]:
        return {name: Digest.parse(image["digest"]) for name, image in self.images.items()}


def inputs(ctx: Context, _results: Results) -> Inputs:
    config = (ctx.directory / render.CONFIG).read_text("utf-8")
    return Inputs(
        values={
            **_sources(ctx),
            "builder": f"{ctx.builder.name} {ctx.builder.version()}",
            "repository": ctx.target,
            "repo": ctx.stable(ctx.stages_repository),
            "arguments": sha256(canonical_json(list(ctx.arguments))),
            **_environment(ctx.environ),
        },
        unpinned=dockerfile.unpinned(config, ctx.tree),
    )


def _sources(ctx: Context) -> dict[str, str]:
    """Dockerfile images see their own directory only; a fragment may reach anywhere in the tree."""
    if any(image.kind is ImageKind.STAPEL for image in ctx.module.images):
        return {"tree": ctx.snapshot.tree}
    return {image.directory: ctx.tree.id_of(image.directory) or "" for image in ctx.module.images}


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What werf 2 reads from its environment, as hashes, without what may be secret."""
    secret = ("TOKEN", "PASSWORD", "SECRET", "KEY", "USERNAME")
    ours = ("WERF_REPO", "WERF_LOG_", "WERF_TELEMETRY", "WERF_IMAGES_REPO", "WERF_TAG_")
    return {
        f"env:{name}": sha256(value.encode(errors="surrogateescape"))
        for name, value in environ.items()
        if name.startswith("WERF_")
        and not name.startswith(ours)
        and not any(word in name for word in secret)
    }


def run(ctx: Context, _results: Results, tell: Tell) -> Built:
    request = _request(ctx)
    if ctx.module.images:
        ctx.builder.check(request)
    if not published.released(ctx, tell):
        preflight.check(ctx)
    if not ctx.module.images:
        return Built(images={})
    # A killed build leaves its contexts behind; the lock says that nobody uses them.
    shutil.rmtree(ctx.work / "tmp", ignore_errors=True)
    report = ctx.builder.build(request, tell)
    # CI tokens may have expired during a long build, and a helper may have new ones.
    ctx.registry.forget_tokens()
    _complete(ctx, report)
    if ctx.stages_repository != ctx.repository:
        ctx.registry.map(lambda image: _copy(ctx, image, tell), report.final)
    sizes = ctx.registry.map(lambda image: _size(ctx, image), report.final)
    for image in report.final:
        ctx.built[image.name] = (image.rebuilt, image.seconds)
    return Built(
        images={
            image.name: {
                "digest": str(image.reference.digest),
                "tag": image.reference.tag,
                "size": size,
            }
            for image, size in zip(report.final, sizes, strict=True)
        }
    )


def _request(ctx: Context) -> BuildRequest:
    given = ctx.settings["docker_config"]
    return BuildRequest(
        root=ctx.directory,
        config=ctx.directory / render.CONFIG,
        repository=ctx.stages_repository,
        work=ctx.work,
        log=ctx.work / LOG,
        tree=ctx.tree,
        secondary=ctx.settings["secondary_repos"],
        dev=bool(ctx.snapshot.dirty) and not ctx.release,
        insecure=ctx.settings["insecure_registry"],
        docker_config=Path(given) if given else None,
        arguments=ctx.arguments,
        environ=ctx.environ,
        parallel=ctx.settings["parallel"],
    )


def _complete(ctx: Context, report: BuildReport) -> None:
    named = {image.name for image in report.final}
    lost = sorted(
        image.name
        for image in ctx.module.images
        if image.kind is ImageKind.DOCKERFILE and image.name not in named
    )
    if lost:
        raise BuildFailed(
            f"{report.builder} ended well, but its report lacks {', '.join(lost)}",
            image=lost[0],
            hint="nothing was published; do not narrow the build to some images",
        )


def _copy(ctx: Context, image: BuiltImage, tell: Tell) -> None:
    target = ctx.repository.tagged(image.reference.tag or "")
    copy(ctx.registry, image.reference, target)
    tell("copied", image=image.name, reference=str(target))


def _size(ctx: Context, image: BuiltImage) -> int:
    """Read back from R/M by digest: what is not there was not built, whatever the report says."""
    digest = image.reference.digest
    manifest = ctx.registry.manifest(ctx.repository.at(digest)) if digest else None
    if manifest is None:
        raise VerificationError(
            f"image {image.name}: {ctx.repository}@{digest} is in the build report, "
            "but not in the registry",
            hint="run the same command again",
        )
    if manifest.is_index:
        return manifest.size
    return manifest.config.size + sum(layer.size for layer in manifest.layers)


def probe(ctx: Context, result: Built) -> str | None:
    def lost(name: str) -> str | None:
        image = result.images[name]
        reference = ctx.repository.tagged(image["tag"])
        found = ctx.registry.head(reference)
        if found is None:
            return f"image {name}: {ctx.stable(ctx.repository)}:{image['tag']} is gone"
        if found.digest != image["digest"]:
            return f"image {name}: its tag has moved to {found.digest}"
        return None

    return next(filter(None, ctx.registry.map(lost, sorted(result.images))), None)


STAGE: Final = Stage(
    name="build",
    revision=1,
    needs=(render.STAGE,),
    result=Built,
    inputs=inputs,
    run=run,
    probe=probe,
)
