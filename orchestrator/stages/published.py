"""Versions that are already there: finish, keep, replace or refuse, told by their annotations.

Annotations are part of the manifest and so of its digest: they hold nothing but what was built from.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from orchestrator.artifacts import DIGESTS_FILE
from orchestrator.errors import ConflictError, RegistryError, VerificationError
from orchestrator.events import Tell
from orchestrator.model import Digest, Reference, Repository
from orchestrator.registry import image as image_
from orchestrator.registry.copy import copy, copy_attestation
from orchestrator.registry.layer import read_layers
from orchestrator.registry.manifest import Manifest
from orchestrator.stages.context import Context
from orchestrator.verify.run import MODULE_ANNOTATION as MODULE

TITLE: Final = "org.opencontainers.image.title"
VERSION: Final = "org.opencontainers.image.version"
REVISION: Final = "org.opencontainers.image.revision"
CREATED: Final = "org.opencontainers.image.created"
INPUTS: Final = "io.deckhouse.orchestrator.inputs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a module image was made from: the commit (releases only) and a hash of all inputs."""

    commit: str
    inputs: str

    def made(self, manifest: Manifest) -> bool:
        """Whether this manifest says that it was made from the same."""
        there = manifest.annotations
        return there.get(INPUTS) == self.inputs and there.get(REVISION, "") == self.commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """An image that a config of the module's own built: it lies in R/M, and is tagged as it is."""

    source: Reference
    size: int

    @classmethod
    def read(cls, ctx: Context, image: Mapping[str, Any]) -> Self:
        """From a stage's result."""
        return cls(source=ctx.repository.at(Digest.parse(image["digest"])), size=image["size"])

    @property
    def digest(self) -> Digest:
        assert self.source.digest is not None  # noqa: S101  made by read()
        return self.source.digest


Ready = image_.Image | Adopted


def annotations(ctx: Context, origin: Origin) -> dict[str, str]:
    """Of a module image. A development build names no commit: its digest follows its content."""
    values = {TITLE: str(ctx.module.name), VERSION: ctx.version, INPUTS: origin.inputs}
    if ctx.release:
        values |= {REVISION: origin.commit, CREATED: ctx.created or ""}
    return values


def release_annotations(ctx: Context, module: str) -> dict[str, str]:
    """Of a release image: it names the module image that it released."""
    values = {TITLE: str(ctx.module.name), VERSION: ctx.version, MODULE: module}
    if ctx.release:
        values |= {REVISION: ctx.snapshot.commit, CREATED: ctx.created or ""}
    return values


def moved(ctx: Context, reference: Reference, digest: Digest) -> str | None:
    """What is wrong with a tag that should name this digest."""
    found = ctx.registry.head(reference)
    name = f"{ctx.stable(reference.repository)}:{reference.tag}"
    if found is None:
        return f"{name} is gone"
    if found.digest != digest:
        return f"{name} is {found.digest} now"
    return None


def released(ctx: Context, tell: Tell) -> bool:
    """Before a build: whether this very version is out already.

    Raises ConflictError where another commit or program released it, and it may not be replaced.
    """
    if ctx.may_replace:
        return False
    release, module = ctx.registry.map(
        lambda reference: _readable(ctx, reference), (ctx.release_reference, ctx.module_reference)
    )
    if release is None:
        return False
    marked = [each for each in (module, release) if each and REVISION in each.annotations]
    if not marked and ctx.own_config is not None:
        # What the module's own config builds names no commit: only its digest tells, once it is built.
        tell("present", reference=str(ctx.module_reference))
        return True
    there = marked[0] if marked else module or release
    if there.annotations.get(REVISION) == ctx.snapshot.commit:
        tell("published", reference=str(ctx.module_reference))
        return True
    raise _conflict(ctx, ctx.module_reference if module else ctx.release_reference, there, None)


def _readable(ctx: Context, reference: Reference) -> Manifest | None:
    """Some registries deny reading a repository before its first push."""
    try:
        return ctx.registry.manifest(reference)
    except RegistryError as error:
        if error.status == 403:
            return None
        raise


def settle_module(
    ctx: Context, image: Ready, origin: Origin, tell: Tell, *, pair: Digest | None = None
) -> Digest:
    """The digest that `R/M:VERSION` has in the end; raises ConflictError.

    `pair` is the release image that was built along with an adopted module image.
    """
    reference = ctx.module_reference
    there, release = ctx.registry.map(ctx.registry.manifest, (reference, ctx.release_reference))
    if not ctx.may_replace and release is not None:
        if isinstance(image, Adopted) and MODULE not in release.annotations:
            return _settle_pair(ctx, image, pair, there, release, tell)
        return _settle_released(ctx, image, origin, there, release, tell)
    if there is None:
        return _push(ctx, image, reference, tell)
    if there.digest == image.digest:
        return _complete(ctx, image, reference, tell)
    if not ctx.may_replace:
        if origin.made(there) and _whole(ctx, there):
            return _keep(ctx, there, image, tell)
        tell("unfinished", reference=str(reference), digest=there.digest)
        ctx.unfinished = there.digest
    _replaces(ctx, reference, there, image, tell)
    return _push(ctx, image, reference, tell)


def _settle_released(
    ctx: Context,
    image: Ready,
    origin: Origin,
    there: Manifest | None,
    release: Manifest,
    tell: Tell,
) -> Digest:
    """The release image says which module image it released: that one has the tag, or nothing does.

    A deleted tag comes back, and one that another publisher has moved since.
    """
    named = release.annotations.get(MODULE)
    if named == image.digest:
        if there is not None and there.digest == image.digest:
            return _complete(ctx, image, ctx.module_reference, tell)
        return _push(ctx, image, ctx.module_reference, tell)
    old = there
    if named is not None and (there is None or there.digest != named):
        old = ctx.registry.manifest(ctx.repository.at(Digest.parse(named)))
    if old is None or not origin.made(old) or not _whole(ctx, old):
        reference = ctx.release_reference if there is None else ctx.module_reference
        raise _conflict(ctx, reference, there or release, image)
    if there is None or there.digest != old.digest:
        _tag(ctx, old, tell)
    return _keep(ctx, old, image, tell)


def _settle_pair(
    ctx: Context,
    image: Adopted,
    pair: Digest | None,
    there: Manifest | None,
    release: Manifest,
    tell: Tell,
) -> Digest:
    """An adopted release image names no module image: the one that was built along with it counts."""
    reference = ctx.module_reference
    if there is not None and there.digest == image.digest:
        return _complete(ctx, image, reference, tell)
    if there is None and release.digest == pair:
        return _push(ctx, image, reference, tell)
    raise _conflict(ctx, reference if there else ctx.release_reference, there or release, image)


def _keep(ctx: Context, there: Manifest, image: Ready, tell: Tell) -> Digest:
    reference = str(ctx.module_reference)
    tell("kept", reference=reference, digest=there.digest, instead_of=image.digest)
    ctx.kept = there.digest
    return there.digest


def _tag(ctx: Context, manifest: Manifest, tell: Tell) -> None:
    tell("restored", reference=str(ctx.module_reference), digest=manifest.digest)
    ctx.registry.put_manifest(ctx.module_reference, manifest.data, manifest.media_type)


def settle_release(ctx: Context, image: Ready, module: Digest, tell: Tell) -> Digest:
    """The digest that `R/M/release:VERSION` has in the end; raises ConflictError.

    Two publishers of one version may both have tagged a module image by now. The release decides:
    who comes second gives the tag back, who comes first looks that it has it still.
    """
    reference = ctx.release_reference
    there = ctx.registry.manifest(reference)
    if there is not None and ctx.unfinished is not None and isinstance(image, Adopted):
        # It was not there when the module image was replaced, so another publisher was at work.
        _hold_tag(ctx, ctx.unfinished, instead_of=module, tell=tell)
        raise _conflict(ctx, reference, there, image)
    if there is not None and there.digest == image.digest:
        digest = _complete(ctx, image, reference, tell)
    elif there is not None and not ctx.may_replace:
        _hold_tag(ctx, there.annotations.get(MODULE), instead_of=module, tell=tell)
        raise _conflict(ctx, reference, there, image)
    else:
        if there is not None:
            _replaces(ctx, reference, there, image, tell)
        digest = _push(ctx, image, reference, tell)
    if isinstance(image, Adopted) and not ctx.may_replace:
        tagged = ctx.registry.manifest(ctx.module_reference)
        if tagged is not None and tagged.digest != module:
            raise _conflict(ctx, ctx.module_reference, tagged, image)
    _hold_tag(ctx, module, instead_of=None, tell=tell)
    return digest


def attest(ctx: Context, digest: Digest, repository: Repository, tell: Tell) -> None:
    """What attests an adopted image goes with it; d8 mirror takes it from `VERSION.att` only."""
    name = f"{ctx.version}.att"
    if copy_attestation(ctx.registry, digest, ctx.repository, repository, name):
        tell("copied", image=name, reference=str(repository.tagged(name)))


def _hold_tag(ctx: Context, named: str | None, *, instead_of: Digest | None, tell: Tell) -> None:
    """Tag the module image that is released; only where `instead_of` has the tag, if that is given."""
    there = ctx.registry.head(ctx.module_reference)
    found = there.digest if there else None
    if named is None or found == named or (instead_of is not None and found != instead_of):
        return
    old = ctx.registry.manifest(ctx.repository.at(Digest.parse(named)))
    if old is not None:
        _tag(ctx, old, tell)


def _complete(ctx: Context, image: Ready, reference: Reference, tell: Tell) -> Digest:
    """The same digest is there; only a blob may be missing."""
    if image_.closure(ctx.registry, reference):
        return _push(ctx, image, reference, tell)
    tell("present", reference=str(reference), digest=image.digest)
    return image.digest


def _push(ctx: Context, image: Ready, reference: Reference, tell: Tell) -> Digest:
    if isinstance(image, Adopted):
        digest = copy(ctx.registry, image.source, reference)
    else:
        digest = image_.push(ctx.registry, image, reference)
    tell("pushed", reference=str(reference), digest=digest)
    return digest


def _replaces(
    ctx: Context, reference: Reference, there: Manifest, image: Ready, tell: Tell
) -> None:
    tell("replaced", reference=str(reference), was=there.digest, digest=image.digest)
    ctx.replaced.append(f"{reference} was {there.digest}")


def _whole(ctx: Context, manifest: Manifest) -> bool:
    """Whether a module image of ours and all application images that it names are there."""
    reference = ctx.repository.at(manifest.digest)
    if manifest.is_index or len(manifest.layers) != 1 or image_.closure(ctx.registry, reference):
        return False
    try:
        (layer,) = read_layers(
            ctx.registry, ctx.repository, manifest.layers, wanted=DIGESTS_FILE.__eq__
        )
        text = next(entry.data for entry in layer if entry.name == DIGESTS_FILE)
        digests = [Digest.parse(digest) for digest in json.loads(text).values()]
    except (StopIteration, ValueError, AttributeError, VerificationError):
        return False
    return all(ctx.registry.map(lambda digest: _image_whole(ctx, digest), digests))


def _image_whole(ctx: Context, digest: Digest) -> bool:
    return not image_.closure(ctx.registry, ctx.repository.at(digest))


def _conflict(
    ctx: Context, reference: Reference, there: Manifest, image: Ready | None
) -> ConflictError:
    """Names what is there and what was to be, with commits and times."""
    commit = there.annotations.get(REVISION)
    made = there.annotations.get(CREATED)
    maker = f"from commit {commit}" if commit else "by another program"
    ours = f"{image.digest}, " if image else ""
    return ConflictError(
        f"{reference} is published {maker}{f' of {made}' if made else ''} as {there.digest}; "
        f"this build is {ours}commit {ctx.snapshot.commit} of {ctx.created}",
        hint=f"publish under a new version; to replace {ctx.version} all the same, "
        "knowing that clusters keep their old copy, add --force",
    )
