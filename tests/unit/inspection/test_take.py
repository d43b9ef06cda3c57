"""Files are taken out of an image of many layers as a container would see them."""

import io
import json
import tarfile
from collections.abc import Iterator
from functools import partial

import pytest

from orchestrator.errors import RegistryError, VerificationError
from orchestrator.fsio import canonical_json, sha256
from orchestrator.inspection.take import take
from orchestrator.model import Digest, Reference, Repository
from orchestrator.registry.client import Registry
from orchestrator.registry.image import gzip_stored
from orchestrator.registry.manifest import OCI_INDEX, OCI_MANIFEST
from tests.harness import RealRegistry, real_registry
from tests.unit.registry.conftest import connect

# Name -> content, None for a directory, `-> x` for a symlink.
Layer = dict[str, str | None]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with real_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def client() -> Registry:
    return connect()


def pushed(client: Registry, real: RealRegistry, *layers: Layer) -> Reference:
    repository = Repository.parse(f"{real.address}/taken/{sha256(repr(layers).encode())[7:19]}")
    blobs = [b"{}", *(gzip_stored(_tar(layer)) for layer in layers)]
    described = []
    for blob in blobs:
        digest = Digest(sha256(blob))
        client.put_blob(repository, digest, len(blob), partial(list, (blob,)))
        described.append({"digest": digest, "size": len(blob), "mediaType": "application/x"})
    manifest = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": described[0],
            "layers": described[1:],
        }
    )
    return repository.at(client.put_manifest(repository.tagged("v1"), manifest, OCI_MANIFEST))


def _tar(layer: Layer) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, text in layer.items():
            entry = tarfile.TarInfo(name)
            entry.mode = 0o755
            if text is None:
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            elif text.startswith("-> "):
                entry.type, entry.linkname = tarfile.SYMTYPE, text[3:]
                archive.addfile(entry)
            else:
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
    return output.getvalue()


def taken(client: Registry, reference: Reference, path: str) -> dict[str, str]:
    return {file.path: file.data.decode() for file in take(client, reference, path)}


def test_a_file_of_the_uppermost_layer(client: Registry, real: RealRegistry) -> None:
    reference = pushed(client, real, {"hook": "old", "other": "x"}, {"./hook": "new"}, {"z": "z"})
    (file,) = take(client, reference, "hook")
    assert (file.path, file.data, file.executable) == ("", b"new", True)


def test_lower_layers_are_not_asked_for(client: Registry, real: RealRegistry) -> None:
    reference = pushed(client, real, {"base": "b" * 1000}, {"hook": "new"})
    real.forget()
    take(client, reference, "hook")
    assert sum(method == "GET" and "/blobs/" in path for method, path, _ in real.requests()) == 1


def test_a_directory_is_flattened(client: Registry, real: RealRegistry) -> None:
    reference = pushed(
        client,
        real,
        {"go-hooks": None, "go-hooks/a": "a1", "go-hooks/b": "b1", "go-hooks/sub/c": "c1"},
        {"go-hooks/a": "a2", "go-hooks/.wh.b": ""},
        {"go-hooks-not": "x", "go-hooks/d": "d3"},
    )
    assert taken(client, reference, "go-hooks") == {"a": "a2", "d": "d3", "sub/c": "c1"}


def test_what_was_deleted_is_gone(client: Registry, real: RealRegistry) -> None:
    reference = pushed(client, real, {"hook": "x", "d/e": "x"}, {".wh.hook": "", ".wh.d": ""})
    for path in ("hook", "d", "d/e", "never"):
        with pytest.raises(VerificationError, match=f"/{path} is not in"):
            take(client, reference, path)


def test_what_is_no_file(client: Registry, real: RealRegistry) -> None:
    reference = pushed(client, real, {"hook": "-> bin/hook", "bin/hook": "x"})
    with pytest.raises(VerificationError, match="holds a symlink: hook"):
        take(client, reference, "hook")


def test_no_image_and_an_index(client: Registry, real: RealRegistry) -> None:
    reference = pushed(client, real, {"hook": "x"})
    with pytest.raises(RegistryError, match="is not there"):
        take(client, reference.repository.tagged("v9"), "hook")
    child = {"mediaType": OCI_MANIFEST, "digest": reference.digest, "size": 1}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]})
    client.put_manifest(reference.repository.tagged("index"), index.encode(), OCI_INDEX)
    with pytest.raises(VerificationError, match="index of several platforms"):
        take(client, reference.repository.tagged("index"), "hook")
