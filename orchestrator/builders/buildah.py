"""The embedded builder: Dockerfile images by buildah, without a daemon, for machines without werf.

Tags have werf's form, `<56 hex>-<milliseconds>`; the hex part is a hash of all that goes in, so an
image whose content has not changed is found again in the registry instead of being built.
"""

import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from orchestrator.builders import BuildReport, BuildRequest, BuiltImage
from orchestrator.builders.dockerfile import External, externals, renamed
from orchestrator.builders.source import PLATFORM, Source, content, read_sources
from orchestrator.errors import (
    BuildFailed,
    ConfigError,
    OrchestratorError,
    ToolMissing,
    TransientBuildError,
)
from orchestrator.events import Tell
from orchestrator.model import Digest, Reference, Repository
from orchestrator.parallel import several
from orchestrator.process import Command, Runner
from orchestrator.redact import redactor
from orchestrator.registry.client import Registry
from orchestrator.registry.image import closure
from orchestrator.registry.layout import push_layout
from orchestrator.registry.transport import is_loopback

_TAIL: Final = 15
_MORE_TRIES: Final = 3
# Of a Go program that panics.
_CRASHED: Final = 2
_PANIC: Final = re.compile(r"goroutine \d+ |panic: |\s*/?github\.com/containers/")
_LOCAL: Final = "localhost/"
_CONTENT_LABEL: Final = "io.deckhouse.orchestrator.content"
# The first that stands in the last lines, in lower case, wins.
_HINTS: Final = (
    ("goroutine ", "remove what killed builds left (buildah rm --all), then run again"),
    ("no space left on device", "free some disk space (buildah rmi --prune), then run again"),
    ("supplemental groups", "give this user ids in /etc/subuid and /etc/subgid, or run as root"),
    ("graph driver", "set STORAGE_DRIVER=vfs: overlay does not work here"),
    ("does not support overlay", "set STORAGE_DRIVER=vfs: overlay does not work here"),
    ("operation not permitted", "run as root, or allow user namespaces for this user"),
    ("unknown flag", "take buildah 1.28 or a later one"),
    ("manifest unknown", "see that the base image exists"),
    ("unauthorized", "log in to the registry of the base image, or see $DOCKER_CONFIG"),
    ("server gave http response to https", "give --insecure-registry"),
    ("connection refused", "see that the registry of the base image is up"),
)
# In buildah's own last line only: what a RUN prints says nothing of our surroundings.
_TRANSIENT: Final = re.compile(
    r"^Error: .*(connection (refused|reset)|i/o timeout|handshake timeout|toomanyrequests"
    r"|unexpected EOF|50[0234] )",
    re.IGNORECASE,
)


class Buildah:
    """buildah on PATH, chroot isolation unless $BUILDAH_ISOLATION says otherwise."""

    name = "buildah"

    def __init__(self, runner: Runner, registry: Registry) -> None:
        self._runner = runner
        self._registry = registry
        self._version: str | None = None
        self._log_lock = threading.Lock()
        self._content_locks: dict[str, threading.Lock] = {}

    def version(self) -> str:
        """Like `1.28.2`; raises ToolMissing where there is none."""
        if self._version is None:
            if self._runner.which("buildah") is None:
                raise ToolMissing("buildah is not on PATH", hint="apt-get install buildah")
            text = self._runner.run(Command(argv=("buildah", "--version"))).text
            found = re.search(r"\d+\.\d+\S*", text)
            if found is None:
                raise ToolMissing("buildah --version does not tell its version")
            self._version = found[0]
        return self._version

    def check(self, request: BuildRequest) -> None:
        """That buildah is there and can build every image."""
        self.version()
        if request.arguments:
            raise ConfigError(
                f"arguments for werf are given ({request.arguments[0]} …), but the builder is buildah",
                hint="leave out what stands after --, or give --builder werf",
            )
        read_sources(request)

    def images(self, request: BuildRequest) -> tuple[str, ...]:
        return tuple(sorted(source.name for source in read_sources(request)))

    def build(self, request: BuildRequest, tell: Tell) -> BuildReport:
        """Raises one BuildFailed that names all images that failed; the others stay built."""
        sources = read_sources(request)
        tags = self._registry.tags(request.repository)
        request.log.parent.mkdir(parents=True, exist_ok=True)
        with request.log.open("w", encoding="utf-8", errors="replace") as log:
            ended = several(
                lambda source: self._try(source, request, tags, log, tell),
                sources,
                at_once=_workers(request, sources),
                on_stop=self._runner.settle,
            )
        failed = [each for each in ended if isinstance(each, OrchestratorError)]
        if failed:
            raise _all_failed(failed, request.log)
        images = [each for each in ended if isinstance(each, BuiltImage)]
        return BuildReport(
            builder=self.name, images=tuple(sorted(images, key=lambda image: image.name))
        )

    def _try(
        self, source: Source, request: BuildRequest, tags: list[str], log: TextIO, tell: Tell
    ) -> BuiltImage | OrchestratorError:
        try:
            return self._image(source, request, tags, log, tell)
        except BuildFailed as error:
            failed = error
        except OrchestratorError as error:
            kind = TransientBuildError if error.exit_code == 75 else BuildFailed
            failed = kind(
                f"image {source.name}: {error.message}",
                image=source.name,
                hint=error.hint,
                details=error.details,
            )
        except OSError as error:
            failed = BuildFailed(
                f"image {source.name}: {error.strerror} ({error.filename})",
                image=source.name,
                hint=f"see to the space and the permissions of {request.work}",
            )
        tell("image", name=source.name, state="failed")
        return failed

    def _image(
        self, source: Source, request: BuildRequest, tags: list[str], log: TextIO, tell: Tell
    ) -> BuiltImage:
        bases = self._bases(source)
        named = ((external.name, base) for external, base in bases.items())
        hashed = content(source, request.tree, named)
        # Images of the same content take turns: at the same time, the stages of one build would
        # be those of the other in buildah's storage, and give their names to what it builds.
        with self._content_locks.setdefault(hashed, threading.Lock()):
            known = sorted(tag for tag in tags if re.fullmatch(rf"{hashed}-\d{{13}}", tag))
            for tag in known:
                if (digest := self._whole(request.repository.tagged(tag))) is not None:
                    tell("image", name=source.name, state="reused")
                    reference = Reference(request.repository, tag=tag, digest=digest)
                    return BuiltImage(name=source.name, reference=reference, final=source.final)
            tell("image", name=source.name, state="building")
            started = time.monotonic()
            tag = known[0] if known else f"{hashed}-{time.time_ns() // 1_000_000}"
            digest = self._build_and_push(source, bases, request, tag, log)
            tags.append(tag)
        seconds = time.monotonic() - started
        tell("image", name=source.name, state="built", seconds=seconds)
        return BuiltImage(
            name=source.name,
            reference=Reference(request.repository, tag=tag, digest=digest),
            final=source.final,
            rebuilt=True,
            seconds=seconds,
        )

    def _whole(self, reference: Reference) -> Digest | None:
        """The digest of an image that is in the registry with all it names."""
        there = self._registry.head(reference)
        if there is None or closure(self._registry, reference.repository.at(there.digest)):
            return None
        return there.digest

    def _bases(self, source: Source) -> dict[External, str]:
        """Every base image as `repository@digest`, as it is now: a moved tag is another input."""
        return {
            external: self._base(external.name, f"{source.dockerfile}:{external.line}")
            for external in externals(source.text, source.args)
            if external.image
        }

    def _base(self, name: str, where: str) -> str:
        if not name:
            raise ConfigError(
                f"{where}: the base image has no name", hint="give its build argument a value"
            )
        if name.startswith(_LOCAL):
            local = Command(argv=("buildah", "images", "--format", "{{.Digest}}", name))
            return f"{name}@{self._runner.run(local).text.strip()}"
        try:
            reference = _reference(name)
            digest = reference.digest
            if digest is None and (there := self._registry.head(reference)) is not None:
                digest = there.digest
        except OrchestratorError as error:
            error.message = f"{where}: base image {name}: {error.message}"
            raise
        if digest is None:
            raise OrchestratorError(
                f"{where}: there is no base image {name}",
                hint="mend the name, or push that image first",
            )
        return f"{reference.repository}@{digest}"

    def _build_and_push(
        self,
        source: Source,
        bases: Mapping[External, str],
        request: BuildRequest,
        tag: str,
        log: TextIO,
    ) -> Digest:
        pulled = {e: base for e, base in bases.items() if not base.startswith(_LOCAL)}
        with _scratch(request.work) as scratch:
            # What is hashed is what the builder sees: .dockerignore is read here only, and a base
            # image has the digest that was hashed, whatever its tag means by the time of the pull.
            request.tree.export(source.context, scratch / "context", source.keep)
            (scratch / "Dockerfile").write_text(renamed(source.text, pulled), "utf-8", newline="")
            (scratch / "ignore").touch()
            command = _command(source, pulled, tag.partition("-")[0], request)
            self._buildah(command, scratch, source.name, request, log)
            return push_layout(self._registry, scratch / "layout", request.repository.tagged(tag))

    def _buildah(
        self, argv: tuple[str, ...], scratch: Path, name: str, request: BuildRequest, log: TextIO
    ) -> None:
        tail: list[str] = []
        redact = redactor(request.environ)

        def on_line(_stream: str, line: str) -> None:
            line = redact(line)
            tail.append(line)
            del tail[:-_TAIL]
            with self._log_lock:
                log.write(f"{name} | {line}\n")
                log.flush()

        given = request.docker_config
        environ = {"REGISTRY_AUTH_FILE": str(given / "config.json")} if given else {}
        command = Command(argv=argv, cwd=scratch, env=environ)
        outcome = self._runner.run(command, on_line=on_line)
        for _ in range(_MORE_TRIES):
            # Two builds may choose one name for a container; buildah 1.28 then tries others, always
            # in the same order, and crashes where containers of killed builds have taken them.
            if outcome.exit_code != _CRASHED or not any(map(_PANIC.match, tail)):
                break
            outcome = self._runner.run(command, on_line=on_line)
        # The index is written last. What fails after it is the removal of stages that a container
        # uses: one of another process, or one that a killed build left, and then it always fails.
        if outcome.exit_code == 0 or (scratch / "layout" / "index.json").exists():
            return
        said = "\n".join(tail).lower()
        hint = next((hint for sign, hint in _HINTS if sign in said), "mend the image")
        kind = TransientBuildError if any(map(_TRANSIENT.match, tail)) else BuildFailed
        raise kind(
            f"image {name}: buildah build ended with exit code {outcome.exit_code}",
            image=name,
            hint=f"{hint}; the whole log is {request.log}",
            details="\n".join(f"| {line}" for line in tail),
        )


def _command(
    source: Source, pulled: Mapping[External, str], hashed: str, request: BuildRequest
) -> tuple[str, ...]:
    """buildah in the scratch directory; relative paths, since it reads `:` and `,` as separators."""
    arguments = [f"--build-arg={key}={value}" for key, value in sorted(source.args.items())]
    if not request.environ.get("BUILDAH_ISOLATION"):
        arguments.append("--isolation=chroot")
    if source.target:
        arguments.append(f"--target={source.target}")
    hosts = {base.partition("/")[0] for base in pulled.values()}
    # For all of them or for none: a public registry is never asked without TLS on our account.
    if request.insecure or (hosts and all(map(is_loopback, hosts))):
        arguments.append("--tls-verify=false")
    return (
        "buildah",
        "build",
        *arguments,
        f"--platform={PLATFORM}",
        "--disable-compression=false",
        "--force-rm",
        "--format=oci",
        "--identity-label=false",
        "--layers=false",
        "--no-cache",
        # The content alone decides: no time of a build, a file or a commit in the image.
        "--timestamp=0",
        # As werf does; and buildah cannot write an image straight out that changes nothing.
        f"--label={_CONTENT_LABEL}={hashed}",
        "--file=Dockerfile",
        "--ignorefile=ignore",
        # Straight into files: nothing of ours stays in a storage that others use as well.
        "--tag=oci:layout:image",
        "context",
    )


def _workers(request: BuildRequest, sources: list[Source]) -> int:
    limit = request.parallel if request.parallel > 0 else len(sources)
    return max(1, min(limit, len(sources)))


def _reference(name: str) -> Reference:
    """A base image as container tools read its name: no host is Docker Hub, no tag is latest."""
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif not ("." in first or ":" in first):
        name = f"docker.io/{name}"
    if "@" in name or ":" in name.rpartition("/")[2]:
        return Reference.parse(name)
    return Repository.parse(name).tagged("latest")


def _all_failed(failed: list[OrchestratorError], log: Path) -> OrchestratorError:
    if len(failed) == 1:
        return failed[0]
    transient = all(error.exit_code == 75 for error in failed)
    kind = TransientBuildError if transient else BuildFailed
    details = [line for error in failed for line in (error.message, error.details or "") if line]
    return kind(
        f"{len(failed)} images failed",
        hint=f"images that were built stay built; the whole log is {log}",
        details="\n".join(details),
    )


@contextmanager
def _scratch(work: Path) -> Iterator[Path]:
    parent = work / "tmp"
    parent.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
