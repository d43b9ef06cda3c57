"""Making images of one layer, the same bytes on every machine, and bringing them to a registry.

The layer is a gzip stream of stored blocks: deflate's output differs between zlib versions and
zlib-ng, and these images are small.
"""

import hashlib
import io
import struct
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from orchestrator.errors import ConfigError, VerificationError
from orchestrator.fsio import canonical_json
from orchestrator.model import Digest, Reference, has_control
from orchestrator.registry.client import Registry
from orchestrator.registry.manifest import OCI_MANIFEST, Descriptor

CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE: Final = "application/vnd.oci.image.layer.v1.tar+gzip"

# Magic, deflate, no flags, no time, no extra flags, operating system unknown (RFC 1952).
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_STORED_BLOCK: Final = 65535


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LayerFile:
    """A regular file: a relative path without `..`, its content, its execute bit."""

    path: str
    data: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A manifest with its config and its layer, ready to be pushed."""

    manifest: bytes
    config: bytes
    layer: bytes = field(repr=False)

    @property
    def digest(self) -> Digest:
        return _digest(self.manifest)

    @property
    def size(self) -> int:
        """Bytes of config and layer."""
        return len(self.config) + len(self.layer)


def layer_tar(files: Iterable[LayerFile]) -> bytes:
    """An uncompressed layer by the rules of DKP's extraction; raises ConfigError for a bad path.

    Sorted, owned by root, 0755 or 0644, without times, every directory before what is in it.
    """
    by_path = {file.path: file for file in sorted(files)}
    directories: set[str] = set()
    for path in by_path:
        _check_path(path)
        directories.update(str(parent) for parent in PurePosixPath(path).parents)
    directories.discard(".")
    if clash := directories & by_path.keys():
        raise ConfigError(f"{min(clash)} is a file and a directory at once")
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(directories | by_path.keys()):
            file = by_path.get(path)
            entry = tarfile.TarInfo(path)
            if file is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            else:
                entry.size, entry.mode = len(file.data), 0o755 if file.executable else 0o644
                archive.addfile(entry, io.BytesIO(file.data))
    return output.getvalue()


def _check_path(path: str) -> None:
    parts = path.split("/")
    if ".." in path or path.startswith("/") or any(part in {"", "."} for part in parts):
        raise ConfigError(
            f"{path!r} cannot be in an image: DKP refuses names with .. and needs relative ones"
        )
    if has_control(path):
        raise ConfigError(f"{path!r} cannot be in an image: it holds a control character")


def gzip_stored(data: bytes) -> bytes:
    """A gzip stream that holds the data as it is (RFC 1951, section 3.2.4)."""
    parts = [_GZIP_HEADER]
    blocks = [data[at : at + _STORED_BLOCK] for at in range(0, len(data), _STORED_BLOCK)] or [b""]
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        parts.append(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF))
        parts.append(block)
    parts.append(struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF))
    return b"".join(parts)


def assemble(
    files: Iterable[LayerFile], *, annotations: Mapping[str, str], created: str | None
) -> Image:
    """An OCI image for linux/amd64 with one layer; `created` is in RFC 3339."""
    tar = layer_tar(files)
    layer = gzip_stored(tar)
    config = {
        "architecture": "amd64",
        "config": {},
        "os": "linux",
        "rootfs": {"diff_ids": [_digest(tar)], "type": "layers"},
    }
    if created is not None:
        config["created"] = created
    config_bytes = canonical_json(config)
    manifest = {
        "config": _descriptor(CONFIG_TYPE, config_bytes).to_json(),
        "layers": [_descriptor(LAYER_TYPE, layer).to_json()],
        "mediaType": OCI_MANIFEST,
        "schemaVersion": 2,
    }
    if annotations:
        manifest["annotations"] = dict(annotations)
    return Image(manifest=canonical_json(manifest), config=config_bytes, layer=layer)


def push(registry: Registry, image: Image, reference: Reference) -> Digest:
    """Blobs, the manifest by its digest, the tag, and a read-back; what is there is not sent."""
    repository = reference.repository
    registry.map(
        lambda blob: registry.put_blob(repository, _digest(blob), len(blob), lambda: [blob]),
        (image.config, image.layer),
    )
    by_digest = repository.at(image.digest)
    if registry.head(by_digest) is None:
        registry.put_manifest(by_digest, image.manifest, OCI_MANIFEST)
    there = registry.head(reference)
    if there is None or there.digest != image.digest:
        registry.put_manifest(reference, image.manifest, OCI_MANIFEST)
        there = registry.head(reference)
    if there is None or there.digest != image.digest:
        found = there.digest if there else "nothing"
        raise VerificationError(
            f"{reference} reads back as {found}, not as {image.digest}",
            hint="another publisher may be at work; run the same command again",
        )
    return image.digest


def closure(registry: Registry, reference: Reference) -> list[str]:
    """What is missing of one image: its manifest, blobs of it, children of an index."""
    manifest = registry.manifest(reference)
    if manifest is None:
        return [f"{reference} is not there"]
    repository = reference.repository
    if manifest.is_index:
        children = [repository.at(child.digest) for child in manifest.children]
        return [
            line
            for lines in registry.map(lambda c: closure(registry, c), children)
            for line in lines
        ]
    blobs = sorted({blob.digest for blob in (manifest.config, *manifest.layers)})
    there = registry.map(lambda digest: registry.has_blob(repository, digest), blobs)
    return [
        f"{repository}@{digest} of {reference} is not there"
        for digest, found in zip(blobs, there, strict=True)
        if not found
    ]


def _descriptor(media_type: str, data: bytes) -> Descriptor:
    return Descriptor(media_type=media_type, digest=_digest(data), size=len(data))


def _digest(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())
