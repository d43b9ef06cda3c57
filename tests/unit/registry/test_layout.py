"""An image layout is pushed as it is, or not at all."""

import json
from pathlib import Path

import pytest

from orchestrator.errors import VerificationError
from orchestrator.fsio import sha256
from orchestrator.model import Repository
from orchestrator.registry.client import Registry
from orchestrator.registry.image import LayerFile, assemble
from orchestrator.registry.layout import push_layout


def layout(directory: Path) -> Path:
    made = assemble([LayerFile(path="a", data=b"a")], annotations={}, created=None)
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for data in (made.manifest, made.config, made.layer):
        (blobs / sha256(data).removeprefix("sha256:")).write_bytes(data)
    media_type = json.loads(made.manifest)["mediaType"]
    index = {"manifests": [{"digest": made.digest, "mediaType": media_type}]}
    (directory / "index.json").write_text(json.dumps(index))
    return blobs / made.digest.hex


def test_pushed(tmp_path: Path, client: Registry, repository: Repository) -> None:
    manifest = layout(tmp_path)
    digest = push_layout(client, tmp_path, repository.tagged("v1"))
    assert digest.hex == manifest.name
    assert client.manifest(repository.tagged("v1")).data == manifest.read_bytes()  # type: ignore[union-attr]


def test_a_manifest_that_is_not_what_the_index_says(
    tmp_path: Path, client: Registry, repository: Repository
) -> None:
    manifest = layout(tmp_path)
    manifest.write_bytes(manifest.read_bytes() + b" ")
    with pytest.raises(VerificationError, match="another digest"):
        push_layout(client, tmp_path, repository.tagged("v1"))
    assert client.tags(repository) == []
