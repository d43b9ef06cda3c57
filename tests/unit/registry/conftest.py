"""A real registry for each module of tests, and a client to it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.model import Repository
from orchestrator.process import LocalRunner
from orchestrator.registry.client import Registry
from tests.harness import RealRegistry, real_registry


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with real_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


def connect(config: Path | None = None, **more: object) -> Registry:
    return Registry.connect(
        env={"HOME": "/nonexistent"},
        runner=LocalRunner(os.environ),
        docker_config=config,
        **{"retries": 0, **more},  # type: ignore[arg-type]
    )


@pytest.fixture
def client() -> Registry:
    return connect()


@pytest.fixture
def repository(real: RealRegistry, request: pytest.FixtureRequest) -> Repository:
    """A repository of the test's own."""
    return Repository.parse(f"{real.address}/{request.node.name.partition('[')[0].lower()}")
