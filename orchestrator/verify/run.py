"""The closure of a version, read back: channel -> release -> module image -> application images."""

import re
from collections.abc import Iterable
from functools import partial
from typing import Final

from orchestrator.errors import ConfigError, RegistryError, VerificationError
from orchestrator.model import Channel, Digest, ModuleName, Reference, Repository, is_release
from orchestrator.registry.client import Registry
from orchestrator.registry.layer import whole
from orchestrator.registry.manifest import MANIFEST_TYPES, Descriptor, Manifest, parse_json
from orchestrator.schema import suggestion
from orchestrator.verify import contents
from orchestrator.verify.finding import Verification
from orchestrator.verify.schemas import check_required
from orchestrator.verify.unpack import Unpacked, unpack

MODULE_ANNOTATION: Final = "io.deckhouse.orchestrator.module"

_CONTENT_TAG: Final = re.compile(r"[0-9a-f]{56}(-\d{13})?")
_MOST_TAGS_ASKED: Final = 2000
_BUILD: Final = "orchestrator build"


def verify(
    registry: Registry,
    repository: Repository,
    tag: str,
    *,
    deep: bool = False,
    expected: Digest | None = None,
) -> Verification:
    """Every rule over `R/M:tag`, or over the channel `tag`; `deep` downloads and hashes all blobs.

    `expected` is the digest that the module image of a version is known to have.
    """
    channel = tag in set(Channel)
    found = Verification(reference=f"{repository}{'/release' if channel else ''}:{tag}")
    releases = repository / "release"
    version = tag
    if channel:
        version = _channel(registry, releases, tag, found)
        if not version:
            return found
    elif not is_release(tag) and (close := suggestion(tag, list(Channel))):
        found.warn(14, f"{tag} is taken for a version{close}", "check the name")
    found.version = version
    module, release = registry.map(
        lambda reference: unpack(registry, reference, found, 13),
        (repository.tagged(version), releases.tagged(version)),
    )
    if release is not None:
        contents.check_release(release, version, found)
        _media_types(release.manifest, release.reference, found)
    if module is not None:
        found.digest = module.digest
        _module(registry, module, found, deep=deep)
    if module is not None and release is not None:
        contents.check_pair(module, release, found)
        named = release.manifest.annotations.get(MODULE_ANNOTATION)
        if named is not None and named != module.digest:
            found.error(
                11,
                f"{release.reference} released {named}, but {module.reference} is {module.digest}",
                f"one of them was moved: publish a new version, or {_BUILD} --force",
            )
    _catalog(registry, repository, found)
    if expected is not None and module is not None and module.digest != expected:
        found.error(
            12,
            f"{module.reference} is {module.digest}, not {expected}",
            "it was moved: publish a new version; clusters may hold either",
        )
    if is_release(version):
        _unmoved(registry, [image for image in (module, release) if image is not None], found)
    return found


def _unmoved(registry: Registry, images: list[Unpacked], found: Verification) -> None:
    """Rule 12: the tags still name what was read."""
    heads = registry.map(registry.head, [image.reference for image in images])
    for image, head in zip(images, heads, strict=True):
        if head is None or head.digest != image.digest:
            now = head.digest if head else "gone"
            found.error(
                12,
                f"{image.reference} was {image.digest} and is {now}: it moved while it was read",
                "see who else publishes this version, and verify again",
            )


def _channel(registry: Registry, releases: Repository, channel: str, found: Verification) -> str:
    """The version that a channel holds, after rules 1, 2 and 14; empty where that cannot be told."""
    image = unpack(
        registry,
        releases.tagged(channel),
        found,
        14,
        fix=f"let it hold a version: orchestrator promote VERSION {channel}",
    )
    if image is None:
        return ""
    value = parse_json(image.files.get("version.json", b"null"), str(image.reference))
    version = value.get("version") if isinstance(value, dict) else None
    if not isinstance(version, str) or not is_release(version):
        found.error(
            1,
            f"{image.reference} holds {version!r}, no release vX.Y.Z",
            "promote a release version",
        )
        return ""
    there = registry.head(releases.tagged(version))
    if there is not None and there.digest != image.digest:
        found.error(
            14,
            f"{image.reference} is {image.digest}, {releases}:{version} is {there.digest}",
            "promote the version again: a channel is an unchanged copy",
        )
    return version


def _module(registry: Registry, module: Unpacked, found: Verification, *, deep: bool) -> None:
    reference = module.reference
    repository = reference.repository
    contents.check_module(module, repository.last, found.version, found)
    _media_types(module.manifest, reference, found)
    digests = contents.read_digests(module, found)
    contents.check_templates(module, digests, found)
    found.images = len(digests)
    keys = {digest: key for key, digest in digests.items()}
    registry.map(
        lambda digest: check_image(registry, repository, keys[digest], digest, found, deep=deep),
        sorted(keys),
    )
    tags, released = registry.map(registry.tags, (repository, repository / "release"))
    check_required(registry, module, set(tags) & set(released), found)
    _pairs(repository, tags, released, found)
    _kept(registry, repository, keys, tags, found)
    _attestations(module, tags, found)
    _extra(registry, module, found)


def check_image(
    registry: Registry,
    repository: Repository,
    key: str,
    digest: Digest,
    found: Verification,
    *,
    deep: bool = False,
) -> None:
    """Rule 8: one application image, with all its blobs."""
    manifest = registry.manifest(repository.at(digest))
    where = f"image {key}: {repository}@{digest}"
    if manifest is None:
        found.error(8, f"{where} is not there", f"{_BUILD}; keep clean-up jobs from deleting it")
        return
    if manifest.is_index:
        found.error(
            8,
            f"{where} is an index: d8 mirror keeps one platform of it under another digest",
            "build it for linux/amd64 only",
        )
        return
    _media_types(manifest, repository.at(digest), found)
    for blob in {each.digest: each for each in (manifest.config, *manifest.layers)}.values():
        found.blobs += 1
        if not registry.has_blob(repository, blob.digest):
            found.error(8, f"{where}: its blob {blob.digest} is not there", _BUILD)
        elif deep:
            try:
                registry.read(repository, blob.digest, blob.size, partial(_pass_over, blob))
            except VerificationError as error:
                found.error(8, f"{where}: {error.message}", _BUILD)


def _pass_over(blob: Descriptor, chunks: Iterable[bytes]) -> None:
    """To the end, where hash and size are known."""
    for _ in whole(chunks, blob):
        pass


def _kept(
    registry: Registry,
    repository: Repository,
    keys: dict[Digest, str],
    tags: list[str],
    found: Verification,
) -> None:
    """Rule 8 and 18: an image that no tag names is what a registry's clean-up deletes first."""
    content = [tag for tag in tags if _CONTENT_TAG.fullmatch(tag)]
    if len(content) > _MOST_TAGS_ASKED or not keys:
        return
    heads = registry.map(lambda tag: registry.head(repository.tagged(tag)), content)
    tagged = {head.digest for head in heads if head is not None}
    for digest, key in sorted(keys.items()):
        if digest not in tagged:
            found.warn(18, f"image {key}: no content-based tag names {digest}", f"{_BUILD} tags it")


def _pairs(
    repository: Repository, tags: list[str], released: list[str], found: Verification
) -> None:
    """Rule 13: DKP walks the versions of R/M and stops at one without a release, or the reverse."""
    modules, releases = (set(filter(is_release, names)) for names in (tags, released))
    for version in sorted(modules ^ releases):
        lacks = f"{repository}/release" if version in modules else f"{repository}"
        found.warn(13, f"{lacks} lacks {version}", f"finish it: {_BUILD} --tag {version}")


def _attestations(module: Unpacked, tags: list[str], found: Verification) -> None:
    """Rule 16: d8 mirror takes the module's attestation from VERSION.att only."""
    own = f"sha256-{module.digest.hex}.att"
    if own in tags and f"{module.reference.tag}.att" not in tags:
        found.warn(
            16, f"{own} is not found by d8 mirror", f"tag it as {module.reference.tag}.att too"
        )


def _extra(registry: Registry, module: Unpacked, found: Verification) -> None:
    """Rule 19."""
    data = module.files.get("extra_images.json")
    if data is None:
        return
    value = parse_json(data, "extra_images.json")
    for name, tag in sorted(value.items()) if isinstance(value, dict) else ():
        place = module.reference.repository / "extra" / str(name)
        if registry.head(place.tagged(str(tag))) is None:
            found.error(19, f"{place}:{tag} of extra_images.json is not there", "push it")


def _media_types(manifest: Manifest, reference: Reference, found: Verification) -> None:
    """Rule 15."""
    if manifest.media_type not in MANIFEST_TYPES:
        found.error(
            15,
            f"{reference} has the media type {manifest.media_type!r}",
            "push it as OCI or Docker v2",
        )


def _catalog(registry: Registry, repository: Repository, found: Verification) -> None:
    """Rule 17."""
    source = repository.parent
    if source is None:
        found.error(17, f"{repository} is in no module source", "use R/M with a path in front")
        return
    try:
        listed = registry.tags(source)
    except RegistryError as error:
        if error.exit_code != 1:
            raise
        found.warn(
            20,
            f"the modules of {source} cannot be listed: {error.message}",
            "DKP lists them with the credentials of its ModuleSource: see that those may",
        )
        return
    name = repository.last
    if name not in listed and registry.head(source.tagged(name)) is None:
        found.error(
            17, f"{source}:{repository.last} is not there, so DKP does not list the module", _BUILD
        )
    for tag in sorted(listed):
        if not _is_module(tag):
            found.warn(
                17, f"{source}:{tag} names no module, but DKP may list it as one", "delete it"
            )


def _is_module(tag: str) -> bool:
    try:
        return bool(ModuleName.parse(tag))
    except ConfigError:
        return False
