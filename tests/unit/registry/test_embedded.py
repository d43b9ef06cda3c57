"""The registry of our own: starts, is shared, keeps its port and its data, ends with us."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError, ToolMissing
from orchestrator.model import Repository
from orchestrator.process import Command, LocalRunner
from orchestrator.registry import embedded
from orchestrator.registry.image import assemble, push
from tests.harness import free_port
from tests.unit.registry.conftest import connect


@pytest.fixture
def runner() -> LocalRunner:
    return LocalRunner(os.environ)


def test_data_and_port_stay(runner: LocalRunner, tmp_path: Path) -> None:
    made = assemble([], annotations={}, created=None)
    with embedded.serve(runner, tmp_path / "data") as address:
        reference = Repository.parse(f"{address}/m").tagged("v1")
        push(connect(), made, reference)
    with embedded.serve(runner, tmp_path / "data") as again:
        assert again == address
        found = connect().head(reference)
        assert found is not None
        assert found.digest == made.digest
    assert not embedded._answers(address)


def test_who_comes_second_uses_the_first(runner: LocalRunner, tmp_path: Path) -> None:
    with embedded.serve(runner, tmp_path) as first:
        with embedded.serve(runner, tmp_path) as second:
            assert second == first
        assert embedded._answers(first)
        with (
            pytest.raises(ConfigError, match="already served"),
            embedded.serve(runner, tmp_path, port=1),
        ):
            pass


def test_a_taken_port(runner: LocalRunner, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=f"port {port} on 127.0.0.1 is taken"),
            embedded.serve(runner, tmp_path, port=port),
        ):
            pass
    wanted = free_port()
    with embedded.serve(runner, tmp_path, port=wanted) as address:
        assert address == f"127.0.0.1:{wanted}"


class Without:
    """A machine where `docker-registry` is not installed, and `registry` is another program."""

    def __init__(self, inner: LocalRunner, other: str | None) -> None:
        self._inner = inner
        self._other = other

    def which(self, tool: str) -> str | None:
        return {"docker-registry": None, "registry": self._other}.get(tool)

    def run(self, command: Command, **more: object) -> object:
        return self._inner.run(command, **more)  # type: ignore[arg-type]


def test_no_registry_program(runner: LocalRunner, tmp_path: Path) -> None:
    for other in (None, shutil.which("true")):
        with (
            pytest.raises(ToolMissing, match="no module source is given") as caught,
            embedded.serve(Without(runner, other), tmp_path),  # type: ignore[arg-type]
        ):
            pass
        assert "apt-get install docker-registry" in (caught.value.hint or "")
