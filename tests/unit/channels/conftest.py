"""Published versions, assembled without a builder, in a real registry."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.fsio import sha256
from orchestrator.model import Repository
from orchestrator.registry.client import Registry
from orchestrator.registry.image import Image, LayerFile, assemble, push
from tests.harness import RealRegistry, real_registry
from tests.unit.registry.conftest import connect


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with real_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def client() -> Registry:
    return connect()


@pytest.fixture
def repository(real: RealRegistry, request: pytest.FixtureRequest) -> Repository:
    """R/M of the test's own."""
    place = sha256(request.node.nodeid.encode())[7:19]
    return Repository.parse(f"{real.address}/s{place}/echo")


def publish(
    registry: Registry,
    repository: Repository,
    version: str,
    *,
    definition: str = "name: echo\n",
    module: bool = True,
    release: bool = True,
) -> None:
    """A version that verify finds no fault with, or a half of one."""
    app = assemble([LayerFile(path="app", data=version.encode())], annotations={}, created=None)
    tag = sha256(version.encode())[7:63] + "-1234567890123"
    files = {
        "module.yaml": definition,
        "Chart.yaml": "name: echo\n",
        "templates/a.yaml": '{{ include "helm_lib_module_image" (list . "app") }}',
        "images_digests.json": json.dumps({"app": app.digest}),
    }
    if module:
        push(registry, app, repository.tagged(tag))
        push(registry, _image(files), repository.tagged(version))
        assert repository.parent
        push(registry, _image({}), repository.parent.tagged("echo"))
    if release:
        named = {"module.yaml": definition, "version.json": json.dumps({"version": version})}
        push(
            registry,
            _image(named, "2026-01-02T03:04:05Z"),
            (repository / "release").tagged(version),
        )


def _image(files: dict[str, str], created: str | None = None) -> Image:
    layer = [LayerFile(path=path, data=text.encode()) for path, text in files.items()]
    annotations = {"org.opencontainers.image.created": created} if created else {}
    return assemble(layer, annotations=annotations, created=None)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / ".orchestrator").mkdir()
    return tmp_path / ".orchestrator"
