"""Copies between repositories: the same bytes under another name, and nothing sent that is there."""

from orchestrator.errors import RegistryError, VerificationError
from orchestrator.model import Digest, Reference, Repository
from orchestrator.registry.client import Registry
from orchestrator.registry.manifest import Descriptor


def copy(registry: Registry, source: Reference, target: Reference) -> Digest:
    """A manifest with all that it names; blobs are mounted within a registry, streamed between two."""
    manifest = registry.manifest(source)
    if manifest is None:
        raise RegistryError(f"{source} is not there", status=404)
    if target.digest not in {None, manifest.digest}:
        raise VerificationError(f"{source} is {manifest.digest}, not {target.digest}")
    there = registry.head(target)
    if there is not None and there.digest == manifest.digest:
        return manifest.digest
    here, place = source.repository, target.repository
    if manifest.is_index:
        for child in manifest.children:
            copy(registry, here.at(child.digest), place.at(child.digest))
    else:
        blobs = {blob.digest: blob for blob in (manifest.config, *manifest.layers)}
        registry.map(lambda blob: copy_blob(registry, blob, here, place), list(blobs.values()))
    return registry.put_manifest(target, manifest.data, manifest.media_type)


def copy_attestation(
    registry: Registry, digest: Digest, source: Repository, target: Repository, *names: str
) -> bool:
    """What attests an image (cosign: the tag `sha256-<hex>.att` beside it), under further names too;

    False where there is none.
    """
    own = f"sha256-{digest.hex}.att"
    there = source.tagged(own)
    if registry.head(there) is None:
        return False
    for name in (own, *names):
        copy(registry, there, target.tagged(name))
    return True


def copy_blob(registry: Registry, blob: Descriptor, source: Repository, target: Repository) -> None:
    """A blob of another repository: mounted within a registry, streamed between two."""
    if source == target or registry.has_blob(target, blob.digest):
        return
    if not registry.mount(target, blob.digest, source):
        body = registry.blob
        registry.put_blob(
            target, blob.digest, blob.size, lambda: body(source, blob.digest, blob.size)
        )
