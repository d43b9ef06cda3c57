"""A registry of our own on loopback: the CNCF distribution server as a child of this process."""

import fcntl
import hashlib
import http.client
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from orchestrator.errors import ConfigError, OrchestratorError, ToolMissing
from orchestrator.fsio import atomic_write
from orchestrator.process import Command, Runner

_START_SECONDS: Final = 15.0
# Below the range from which Linux gives out ports for outgoing connections.
_FIRST_PORT: Final = 20000
_PORTS: Final = 12000


@contextmanager
def serve(runner: Runner, data: Path, *, port: int | None = None) -> Iterator[str]:
    """`127.0.0.1:PORT` of a registry over `data`, for as long as the context lasts.

    Where another process serves the same data, its registry is used. The port stays the same for
    the same data where it is free.
    """
    data.mkdir(parents=True, exist_ok=True)
    address = data / "address"
    descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield _other(address, data, port)
            return
        address.unlink(missing_ok=True)
        with _child(runner, data, port) as served:
            atomic_write(address, served.encode())
            try:
                yield served
            finally:
                address.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _other(address: Path, data: Path, port: int | None) -> str:
    """The address of whoever holds the lock."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            served = address.read_text()
            if port is not None and not served.endswith(f":{port}"):
                raise ConfigError(f"{data} is already served at {served}", hint="leave --port out")
            if _answers(served):
                return served
        time.sleep(0.02)
    raise OrchestratorError(
        f"another process holds {data}, but serves no registry",
        hint="end it, then run the same command again",
    )


@contextmanager
def _child(runner: Runner, data: Path, port: int | None) -> Iterator[str]:
    program = _program(runner)
    address = f"127.0.0.1:{_free_port(data, port)}"
    config = data / "config.yml"
    atomic_write(config, _config(data, address))
    log = data / "registry.log"
    with suppress(FileNotFoundError):
        log.unlink()
    # Only this process asks this registry, so its upload sessions need no lasting secret.
    environ = {"REGISTRY_HTTP_SECRET": secrets.token_hex(16)}
    command = Command(argv=(program, "serve", str(config)), env=environ)
    with runner.start(command, log=log) as child:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(address):
            if child.poll() is not None or time.monotonic() > deadline:
                last = log.read_text(errors="replace").strip().splitlines()[-1:]
                raise OrchestratorError(
                    f"the local registry did not start: {' '.join(last)[:300]}",
                    hint=f"see {log}",
                )
            time.sleep(0.005)
        yield address


def _config(data: Path, address: str) -> bytes:
    return (
        "version: 0.1\n"
        "log: {level: error, accesslog: {disabled: true}}\n"
        "storage:\n"
        f"  filesystem: {{rootdirectory: '{_quoted(data)}'}}\n"
        "  delete: {enabled: true}\n"
        f"http: {{addr: '{address}'}}\n"
    ).encode(errors="surrogateescape")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _program(runner: Runner) -> str:
    """Debian's name, or upstream's; go-containerregistry has another program of that name."""
    if found := runner.which("docker-registry"):
        return found
    found = runner.which("registry")
    if found and b"distribution" in runner.run(Command(argv=(found, "--version"))).stdout:
        return found
    raise ToolMissing(
        "no module source is given, and there is no registry server to stand in for it",
        hint="give one with --source or $MODULES_MODULE_SOURCE, or: apt-get install docker-registry",
    )


def _free_port(data: Path, wanted: int | None) -> int:
    if wanted is not None:
        if not _is_free(wanted):
            raise ConfigError(
                f"port {wanted} on 127.0.0.1 is taken by another program",
                hint="give another one with --port, or none for a free one",
            )
        return wanted
    first = int.from_bytes(hashlib.sha256(os.fsencode(data)).digest()[:4], "big") % _PORTS
    for step in range(50):
        port = _FIRST_PORT + (first + step) % _PORTS
        if _is_free(port):
            return port
    raise OrchestratorError("no free port on 127.0.0.1", hint="give one with --port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
