"""Fixtures of the end-to-end tests."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import Project, RealRegistry, make_project, real_registry


@pytest.fixture(scope="module")
def shared_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with real_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RealRegistry]:
    with real_registry(tmp_path / "registry") as registry:
        yield registry


@pytest.fixture
def project(tmp_path: Path, registry: RealRegistry) -> Project:
    """The echo module at tag v1.0.0, to be published to the registry under `modules`."""
    made = make_project(tmp_path / "work" / "echo")
    made.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/modules"
    made.env["ORCHESTRATOR_BUILDER"] = "buildah"
    return made


@pytest.fixture(scope="session")
def crane() -> Callable[..., str]:
    """crane as the independent reader."""
    import subprocess

    program = shutil.which("crane")
    if program is None:
        pytest.skip("crane is not on PATH: Go is needed to install it")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [program, *arguments], capture_output=True, check=False, timeout=60, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
