"""The embedded builder: Dockerfile images by buildah, without a daemon, for machines without werf.

Tags have werf's form, `<56 hex>-<milliseconds>`; the hex part is a hash of all that goes in, so an
image whose content has not changed is found again in the registry instead of being built.
"""

import hashlib
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from orchestrator.builders import BuildReport, BuildRequest, BuiltImage
from orchestrator.builders.dockerfile import (
    External,
    externals,
)
from orchestrator.builders.ignore import ignored
from orchestrator.builders.source import Source, read_sources
from orchestrator.errors import (
    BuildFailed,
    ConfigError,
    OrchestratorError,
    RegistryError,
    ToolMissing,
    TransientBuildError,
)
from orchestrator.events import Tell
from orchestrator.fsio import canonical_json
from orchestrator.model import Digest, Reference, Repository
from orchestrator.process import Command, Outcome, Runner
from orchestrator.registry.client import Registry
from orchestrator.registry.image import closure
from orchestrator.registry.layout import push_layout
from orchestrator.registry.transport import is_loopback

# Part of every content hash: raise it when the way of building changes what comes out.
_REVISION: Final = "1"
_CONTENT_LABEL: Final = "io.deckhouse.orchestrator.content"
_PLATFORM: Final = "linux/amd64"
_TAIL: Final = 15
_HINTS: Final = (
    ("no space left on device", "free some disk space (buildah prune), then run again"),
    ("operation not permitted", "run as root, or allow user namespaces for this user"),
    ("manifest unknown", "see that the base image exists"),
    ("unauthorized", "log in to the registry of the base image, or see $DOCKER_CONFIG"),
    ("connection refused", "see that the registry of the base image is up"),
)


class Buildah:
    """buildah on PATH, chroot isolation unless $BUILDAH_ISOLATION says otherwise."""

    name = "buildah"

    def __init__(self, runner: Runner, registry: Registry) -> None:
        self._runner = runner
        self._registry = registry
        self._version: str | None = None
        self._log_lock = threading.Lock()

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

    def build(self, request: BuildRequest, tell: Tell) -> BuildReport:
        """Raises one BuildFailed that names all images that failed; the others stay built."""
        sources = read_sources(request)
        tags = self._registry.tags(request.repository)
        request.log.parent.mkdir(parents=True, exist_ok=True)
        with (
            request.log.open("w", encoding="utf-8", errors="replace") as log,
            ThreadPoolExecutor(max_workers=_workers(request, sources)) as pool,
        ):
            tries = [pool.submit(self._try, source, request, tags, log, tell) for source in sources]
            try:
                ended = [each.result() for each in tries]
            except BaseException:
                for each in tries:
                    each.cancel()
                raise
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
        except OrchestratorError as error:
            tell("image", name=source.name, state="failed")
            if isinstance(error, BuildFailed):
                return error
            kind = TransientBuildError if error.exit_code == 75 else BuildFailed
            return kind(f"image {source.name}: {error.message}", image=source.name, hint=error.hint)

    def _image(
        self, source: Source, request: BuildRequest, tags: list[str], log: TextIO, tell: Tell
    ) -> BuiltImage:
        content = self._content(source, request)
        repository = request.repository
        known = sorted(tag for tag in tags if re.fullmatch(rf"{content}-\d{{13}}", tag))
        for tag in known:
            there = self._registry.head(repository.tagged(tag))
            if there is not None and not closure(self._registry, repository.at(there.digest)):
                tell("image", name=source.name, state="reused")
                reference = Reference(repository, tag=tag, digest=there.digest)
                return BuiltImage(name=source.name, reference=reference, final=source.final)
        tell("image", name=source.name, state="building")
        started = time.monotonic()
        tag = known[0] if known else f"{content}-{time.time_ns() // 1_000_000}"
        digest = self._build_and_push(source, request, content, repository.tagged(tag), log)
        seconds = time.monotonic() - started
        tell("image", name=source.name, state="built", seconds=seconds)
        return BuiltImage(
            name=source.name,
            reference=Reference(repository, tag=tag, digest=digest),
            final=source.final,
            rebuilt=True,
            seconds=seconds,
        )

    def _content(self, source: Source, request: BuildRequest) -> str:
        """56 hex digits over everything that decides what is built."""
        left_out = ignored(source.ignore or "")
        files = [entry for entry in request.tree.listing(source.context) if not left_out(entry[0])]
        bases = sorted(
            {
                f"{external.name} {self._base_digest(external, source)}"
                for external in externals(source.text, source.args)
            }
        )
        parts = [
            _REVISION,
            _PLATFORM,
            source.text,
            canonical_json(dict(source.args)).decode(),
            source.target,
            canonical_json(bases).decode(),
            canonical_json(files).decode(),
        ]
        return hashlib.sha3_224(":::".join(parts).encode()).hexdigest()

    def _base_digest(self, external: External, source: Source) -> str:
        """The digest behind a base image now: a moved tag is another input."""
        if external.pinned or "://" in external.name or " " in external.name:
            return ""
        if external.name.startswith("localhost/"):
            return self._local_digest(external.name)
        reference = _reference(external.name, f"{source.dockerfile}:{external.line}")
        try:
            there = self._registry.head(reference)
        except RegistryError as error:
            raise BuildFailed(
                f"image {source.name}: {source.dockerfile}:{external.line}: base image "
                f"{external.name}: {error.message}",
                image=source.name,
                hint=error.hint,
            ) from error
        if there is None:
            raise BuildFailed(
                f"image {source.name}: {source.dockerfile}:{external.line}: there is no base image "
                f"{external.name}",
                image=source.name,
                hint="mend the name, or push that image first",
            )
        return there.digest

    def _local_digest(self, name: str) -> str:
        outcome = self._runner.run(
            Command(argv=("buildah", "images", "--format", "{{.Digest}}", name))
        )
        return outcome.text.strip()

    def _build_and_push(
        self,
        source: Source,
        request: BuildRequest,
        content: str,
        target: Reference,
        log: TextIO,
    ) -> Digest:
        with _scratch(request.work) as scratch:
            request.tree.export(source.context, scratch / "context")
            # Straight into a layout: a name in the storage of all users would be a race with them.
            command = self._command(source, request, content, scratch)
            self._run(command, source, request, log)
            return push_layout(self._registry, scratch / "layout", target)

    def _command(
        self, source: Source, request: BuildRequest, content: str, scratch: Path
    ) -> tuple[str, ...]:
        (scratch / "Dockerfile").write_text(source.text, "utf-8")
        (scratch / "ignore").write_text(source.ignore or "", "utf-8")
        # Relative: buildah reads `:` and `,` in these as separators, and a path may hold them.
        place = scratch.relative_to(request.root)
        arguments = [
            item
            for key, value in sorted(source.args.items())
            for item in ("--build-arg", f"{key}={value}")
        ]
        if not request.environ.get("BUILDAH_ISOLATION"):
            arguments += ["--isolation", "chroot"]
        if source.target:
            arguments += ["--target", source.target]
        registries = {
            reference.partition("/")[0]
            for external in externals(source.text, source.args)
            if "/" in (reference := external.name)
        }
        if request.insecure or any(map(is_loopback, registries)):
            arguments.append("--tls-verify=false")
        return (
            "buildah",
            "build",
            *arguments,
            "--disable-compression=false",
            "--force-rm",
            "--format=oci",
            "--identity-label=false",
            "--layers=false",
            "--no-cache",
            # The content alone decides: no time of a build, a file or a commit in the image.
            "--timestamp=0",
            f"--file={place}/Dockerfile",
            # As werf does; and buildah cannot write an image straight out that changes nothing.
            f"--label={_CONTENT_LABEL}={content}",
            f"--ignorefile={place}/ignore",
            f"--tag=oci:{place}/layout:image",
            f"{place}/context",
        )

    def _run(
        self, argv: tuple[str, ...], source: Source, request: BuildRequest, log: TextIO
    ) -> Outcome:
        tail: list[str] = []

        def on_line(_stream: str, line: str) -> None:
            tail.append(line)
            del tail[:-_TAIL]
            with self._log_lock:
                log.write(f"{source.name} | {line}\n")
                log.flush()

        given = request.docker_config
        environ = {"REGISTRY_AUTH_FILE": str(given / "config.json")} if given else {}
        outcome = self._runner.run(
            Command(argv=argv, cwd=request.root, env=environ), on_line=on_line
        )
        if outcome.exit_code != 0:
            said = "\n".join(tail)
            hint = next((hint for sign, hint in _HINTS if sign in said.lower()), None)
            raise BuildFailed(
                f"image {source.name}: buildah {argv[1]} ended with exit code {outcome.exit_code}",
                image=source.name,
                hint=f"{hint or 'mend the image'}; the whole log is {request.log}",
                details="\n".join(f"| {line}" for line in tail),
            )
        return outcome


def _workers(request: BuildRequest, sources: list[Source]) -> int:
    limit = request.parallel if request.parallel > 0 else len(sources)
    return max(1, min(limit, len(sources)))


def _reference(name: str, where: str) -> Reference:
    """A base image as container tools read its name: no host is Docker Hub, no tag is latest."""
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}"
    try:
        if ":" in name.rpartition("/")[2]:
            return Reference.parse(name)
        return Repository.parse(name).tagged("latest")
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from error


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
