"""OCI image layouts: directories that builders write images to (OCI image specification)."""

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from orchestrator.errors import VerificationError
from orchestrator.model import Digest, Reference
from orchestrator.registry.client import Registry

_CHUNK: Final = 1024 * 1024


def push_layout(registry: Registry, layout: Path, target: Reference) -> Digest:
    """The one image of a layout: blobs, the manifest by its digest, then the tag."""
    described = json.loads((layout / "index.json").read_bytes())["manifests"][0]
    digest, media_type = Digest.parse(described["digest"]), described["mediaType"]
    data = _path(layout, digest).read_bytes()
    if hashlib.sha256(data).hexdigest() != digest.hex:
        raise VerificationError(f"the layout's manifest {digest} has another digest")
    manifest = json.loads(data)
    repository = target.repository
    for blob in (manifest["config"], *manifest["layers"]):
        found = Digest.parse(blob["digest"])
        body = partial(_chunks, _path(layout, found))
        registry.put_blob(repository, found, int(blob["size"]), body)
    registry.put_manifest(repository.at(digest), data, media_type)
    return registry.put_manifest(target, data, media_type)


def _path(layout: Path, digest: Digest) -> Path:
    return layout / "blobs" / "sha256" / digest.hex


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
