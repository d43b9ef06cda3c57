"""What end-to-end tests stand on: a real registry that logs requests, a module in git, the program."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures" / "modules"
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
WRITES = ("PUT", "POST", "PATCH", "DELETE")
_ACCESS = re.compile(r'"(GET|HEAD|PUT|POST|PATCH|DELETE) (\S+) HTTP/[^"]*" (\d{3})')
_IDENTITY = {
    "GIT_AUTHOR_NAME": "Author",
    "GIT_AUTHOR_EMAIL": "author@example.com",
    "GIT_COMMITTER_NAME": "Author",
    "GIT_COMMITTER_EMAIL": "author@example.com",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class RealRegistry:
    """CNCF distribution on loopback; its access log says which requests it answered."""

    address: str
    log: Path
    mark: int = 0

    def requests(self) -> list[tuple[str, str, int]]:
        """(method, path, status) since the last call of `forget()`."""
        time.sleep(0.05)
        text = self.log.read_text(errors="replace")[self.mark :]
        return [(m, path, int(status)) for m, path, status in _ACCESS.findall(text)]

    def writes(self) -> list[tuple[str, str, int]]:
        return [request for request in self.requests() if request[0] in WRITES]

    def settle(self) -> None:
        """Wait for requests that a killed client left under way: they are logged when they end."""
        before = -1
        while before != (before := len(self.log.read_text(errors="replace"))):
            time.sleep(0.2)

    def forget(self) -> None:
        time.sleep(0.05)
        self.mark = len(self.log.read_text(errors="replace"))

    def get(self, path: str, accept: str = "*/*") -> bytes:
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=10) as answer:
            data: bytes = answer.read()
            return data

    def tags(self, repository: str) -> dict[str, str]:
        """Tag -> digest, empty where there is no such repository."""
        try:
            names = json.loads(self.get(f"/v2/{repository}/tags/list"))["tags"] or []
        except urllib.error.HTTPError:
            return {}
        return {name: self.digest(repository, name) for name in sorted(names)}

    def digest(self, repository: str, tag: str) -> str:
        request = urllib.request.Request(
            f"http://{self.address}/v2/{repository}/manifests/{tag}",
            method="HEAD",
            headers={"Accept": ", ".join(MANIFESTS)},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.headers["Docker-Content-Digest"])

    def delete(self, repository: str, digest: str) -> None:
        request = urllib.request.Request(
            f"http://{self.address}/v2/{repository}/manifests/{digest}", method="DELETE"
        )
        urllib.request.urlopen(request, timeout=10).close()

    def tree(self, source: str, module: str) -> dict[str, dict[str, str]]:
        """All names of a module, with the time stamps of content-based tags left out."""
        named = {
            "source": self.tags(source),
            "module": self.tags(f"{source}/{module}"),
            "release": self.tags(f"{source}/{module}/release"),
        }
        return {
            place: {re.sub(r"^([0-9a-f]{56})-\d{13}$", r"\1", tag): d for tag, d in tags.items()}
            for place, tags in named.items()
        }


@contextmanager
def real_registry(
    directory: Path, *, extra: str = "", readonly: bool = False
) -> Iterator[RealRegistry]:
    """A docker-registry process with its storage in `directory`."""
    program = shutil.which("docker-registry")
    assert program, "docker-registry is not installed: run `make test`, which installs it"
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = directory / "config.yml"
    config.write_text(
        "version: 0.1\n"
        "log: {level: error, accesslog: {disabled: false}}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory}/data}}, delete: {{enabled: true}}"
        f"{', maintenance: {readonly: {enabled: true}}' if readonly else ''}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n{extra}"
    )
    log = directory / "log"
    with log.open("wb") as output:
        child = subprocess.Popen([program, "serve", str(config)], stdout=output, stderr=output)
    try:
        _await_port(port, child)
        yield RealRegistry(f"127.0.0.1:{port}", log)
    finally:
        child.terminate()
        child.wait()


def _await_port(port: int, child: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert child.poll() is None, "docker-registry ended at once"
        time.sleep(0.02)
    raise AssertionError("docker-registry does not listen")


@dataclass(frozen=True)
class Done:
    """How a run of the program ended."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        return self.out.splitlines()[-1] if self.out else ""


@dataclass
class Project:
    """A module in a git work tree, and the environment to work on it."""

    directory: Path
    env: dict[str, str] = field(default_factory=dict)

    def git(self, *arguments: str) -> str:
        environment = {**os.environ, **_IDENTITY}
        done = subprocess.run(
            ["git", "-C", str(self.directory), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def commit(self, message: str = "change", *, tag: str | None = None) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        if tag:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD")

    def run(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        program: tuple[str, ...] = (sys.executable, "-m", "orchestrator"),
        timeout: float = 120,
        wrap: tuple[str, ...] = (),
    ) -> Done:
        environment = {**self.base_env(), **self.env, **(env or {})}
        done = subprocess.run(
            [*wrap, *program, *arguments],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def base_env(self) -> dict[str, str]:
        """A plain machine: no CI variables, no credentials, our package importable."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory.parent),
            "LANG": "C.UTF-8",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "WERF_TELEMETRY": "0",
            **{
                name: os.environ[name]
                for name in ("CONTAINERS_STORAGE_CONF",)
                if name in os.environ
            },
        }

    def journal(self) -> Path:
        (path,) = (self.directory / ".orchestrator" / "journal").glob("*.jsonl")
        return path


def make_project(directory: Path, fixture: str = "echo", *, tag: str | None = "v1.0.0") -> Project:
    """A copy of a fixture module, committed; its containers get this machine's static busybox."""
    shutil.copytree(FIXTURES / fixture, directory, symlinks=True)
    for image in (directory / "images").glob("*"):
        target = image / "rootfs" / "bin" / "busybox"
        if (image / "rootfs").is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy("/bin/busybox", target)
    project = Project(directory)
    project.git("init", "-q", "-b", "main")
    project.commit("start", tag=tag)
    return project


def kill_group(child: "subprocess.Popen[str]", signum: int = signal.SIGKILL) -> None:
    os.killpg(child.pid, signum)


def put_werf(project: Project, tools: Path) -> Path:
    """The stand-in as `werf` on the project's PATH; returns the file that lists its calls."""
    tools.mkdir(parents=True)
    listing = tools / "calls"
    listing.touch()
    program = tools / "werf"
    standin = ROOT / "tests" / "standins" / "werf.py"
    program.write_text(f'#!/bin/sh\necho "$*" >> {listing}\nexec {sys.executable} {standin} "$@"\n')
    program.chmod(0o755)
    project.env["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"
    return listing


@dataclass(frozen=True)
class Directory:
    """A plain directory as module.Tree."""

    root: Path

    def paths(self) -> list[str]:
        return sorted(
            path.relative_to(self.root).as_posix()
            for path in self.root.rglob("*")
            if path.is_file() and ".orchestrator" not in path.parts
        )

    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]:
        return {path: (self.root / path).read_bytes() for path in paths}

    def is_symlink(self, path: str) -> bool:
        return (self.root / path).is_symlink()
