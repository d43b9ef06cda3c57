"""build: werf config -> application images in R/M under their content-based tags."""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from orchestrator.builders import BuildReport, BuildRequest, BuiltImage, dockerfile
from orchestrator.engine.stage import Inputs, Result, Results, Stage
from orchestrator.errors import BuildFailed, VerificationError
from orchestrator.events import Tell
from orchestrator.fsio import canonical_json, sha256
from orchestrator.model import Digest
from orchestrator.module import ImageKind
from orchestrator.registry.copy import copy, copy_attestation
from orchestrator.stages import adopted, preflight, published, render
from orchestrator.stages.context import Context
from orchestrator.stages.gather import Gather

LOG: Final = "build.log"


@dataclass(frozen=True)
class Built(Result):
    """Final image name -> its digest, its tag in R/M, its size in bytes as the registry holds it.

    `bundle` and `release` name those that become the module image and the release image, where the
    module's own config builds them. `imports` has the digests of images that files are taken from.
    """

    images: Mapping[str, Mapping[str, Any]]
    bundle: str | None = None
    release: str | None = None
    imports: Mapping[str, str] = field(default_factory=dict)

    def applications(self) -> dict[str, Mapping[str, Any]]:
        """The images that containers run."""
        adopted = {self.bundle, self.release}
        return {name: image for name, image in self.images.items() if name not in adopted}

    def digests(self) -> dict[str, Digest]:
        return {name: Digest.parse(image["digest"]) for name, image in self.applications().items()}


def inputs(ctx: Context, _results: Results) -> Inputs:
    if ctx.own_config is not None:
        sources = {"tree": ctx.snapshot.tree, "version": ctx.version}
        unpinned: str | None = f"{ctx.own_config} may read anything, so werf has to look"
    else:
        sources = _sources(ctx)
        config = (ctx.directory / render.CONFIG).read_text("utf-8")
        unpinned = dockerfile.unpinned(config, ctx.tree)
    return Inputs(
        values={
            **sources,
            "builder": f"{ctx.builder.name} {ctx.builder.version()}",
            "repository": ctx.target,
            "repo": ctx.stable(ctx.stages_repository),
            "arguments": sha256(canonical_json(list(ctx.arguments))),
            **_environment(ctx.environ),
        },
        unpinned=unpinned,
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
    adopts = ctx.own_config is not None
    expected = {i.name for i in ctx.module.images if i.kind is ImageKind.DOCKERFILE}
    imported = {each.image for each in ctx.imports}
    builds = bool(ctx.module.images or adopts or imported)
    roles = adopted.Roles()
    problems = Gather()
    if builds:
        problems(lambda: ctx.builder.check(request))
    if adopts and not problems:
        declared = ctx.builder.images(request)
        roles = adopted.roles(ctx, declared)
        # Only what the user adds to the command line can narrow the build.
        expected = set(declared) if ctx.arguments else set(roles.names)
    expected |= imported
    if problems or not published.released(ctx, tell):
        preflight.check(ctx, problems)
    if not builds:
        return Built(images={})
    # A killed build leaves its contexts behind; the lock says that nobody uses them.
    shutil.rmtree(ctx.work / "tmp", ignore_errors=True)
    report = ctx.builder.build(request, tell)
    # CI tokens may have expired during a long build, and a helper may have new ones.
    ctx.registry.forget_tokens()
    _complete(report, expected)
    images = [image for image in report.images if image.final or image.name in roles.names]
    elsewhere = [each for each in images if each.reference.repository != ctx.repository]
    ctx.registry.map(lambda image: _copy(ctx, image, tell), elsewhere)
    sizes = ctx.registry.map(lambda image: _size(ctx, image), images)
    for image in images:
        ctx.built[image.name] = (image.rebuilt, image.seconds)
    return Built(
        images={
            image.name: {
                "digest": str(image.reference.digest),
                "tag": image.reference.tag,
                "size": size,
            }
            for image, size in zip(images, sizes, strict=True)
        },
        bundle=roles.module,
        release=roles.release,
        imports={
            image.name: str(image.reference.digest)
            for image in report.images
            if image.name in imported
        },
    )


def _request(ctx: Context) -> BuildRequest:
    given = ctx.settings["docker_config"]
    own = ctx.own_config
    return BuildRequest(
        root=ctx.directory,
        config=ctx.directory / (own or render.CONFIG),
        own=own is not None,
        variables=_variables(ctx) if own is not None else {},
        giterminism=render.config(ctx).giterminism if own is None else None,
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


def _variables(ctx: Context) -> dict[str, str]:
    """What the configs of public modules ask `env` for, wherever it was set."""
    return {
        "MODULES_MODULE_NAME": ctx.module.name,
        "MODULES_MODULE_SOURCE": str(ctx.source),
        "MODULES_MODULE_TAG": ctx.version,
        **({"MODULE_EDITION": ctx.shape.edition} if ctx.shape.edition else {}),
    }


def _complete(report: BuildReport, expected: Collection[str]) -> None:
    lost = sorted(set(expected) - {image.name for image in report.images})
    if lost:
        raise BuildFailed(
            f"{report.builder} ended well, but its report lacks {', '.join(lost)}",
            image=lost[0],
            hint="nothing was published; do not narrow the build to some images",
        )


def _copy(ctx: Context, image: BuiltImage, tell: Tell) -> None:
    target = ctx.repository.tagged(image.reference.tag or "")
    digest = copy(ctx.registry, image.reference, target)
    copy_attestation(ctx.registry, digest, image.reference.repository, ctx.repository)
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
        platforms = f" ({', '.join(image.platforms)})" if image.platforms else ""
        raise BuildFailed(
            f"image {image.name} is an index of several platforms{platforms}: d8 mirror keeps one "
            "of them under another digest, and clusters behind it would not find the image",
            image=image.name,
            hint="build it for linux/amd64 only: see build.platform and platform in werf.yaml, "
            "and WERF_PLATFORM",
        )
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
    revision=3,
    needs=(render.STAGE,),
    result=Built,
    inputs=inputs,
    run=run,
    probe=probe,
)
