"""The real builder: `werf build`, its flags, its report, its signals."""

import re
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from orchestrator import giterminism
from orchestrator.adoption import OWN_CONFIGS
from orchestrator.builders import BuildReport, BuildRequest
from orchestrator.builders.failures import classify
from orchestrator.builders.report import parse_report
from orchestrator.errors import (
    BuildFailed,
    ConfigError,
    Finding,
    OrchestratorError,
    ToolMissing,
    UsageError,
)
from orchestrator.events import Tell
from orchestrator.fragments import Usage
from orchestrator.process import Command, Runner
from orchestrator.redact import redactor
from orchestrator.registry.transport import is_loopback

REPORT: Final = "werf-report.json"
GET_WERF: Final = (
    "install werf 2 (werf.io, Getting started) and have it on PATH, or name it with --werf"
)

_KEPT_LINES: Final = 2000
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)[^\s]*")
_BEGIN: Final = re.compile(r"^┌ .*?\(\d+/\d+\) image (.+?)(?: \[[^\]]+\])?\s*$")
_END: Final = re.compile(
    r"^└ .*?\(\d+/\d+\) image (.+?)(?: \[[^\]]+\])? \(([\d.]+) seconds\)( FAILED)?\s*$"
)
# We give these, or the result would not be where we look for it.
_OURS: Final = (
    "--build-report-path",
    "--config",
    "--dev",
    "--dir",
    "--follow",
    "--git-work-tree",
    "--repo",
    "--save-build-report",
)
# What the user may pass on that decides how a config is rendered, and whether a value follows.
_RENDERING: Final[Mapping[str, bool]] = {
    "--allow-includes-update": False,
    "--config-templates-dir": True,
    "--env": True,
    "--giterminism-config": True,
    "--loose-giterminism": False,
}
# Only names may stand on stdout, however much the user wants werf to tell.
QUIET: Final = dict.fromkeys(
    ("WERF_DEBUG", "WERF_LOG_DEBUG", "WERF_LOG_VERBOSE", "WERF_VERBOSE"), "0"
)


class Werf:
    """werf 2 on PATH or at a given path."""

    name = "werf"

    def __init__(self, runner: Runner, executable: str = "werf") -> None:
        self._runner = runner
        self._executable = executable
        self._version: str | None = None

    def version(self) -> str:
        """Like `v2.62.2`; raises ToolMissing where there is no werf, or one before 2.0."""
        if self._version is None:
            if self._runner.which(self._executable) is None:
                raise ToolMissing(f"{self._executable} is not on PATH", hint=GET_WERF)
            outcome = self._runner.run(Command(argv=(self._executable, "version")), timeout=60.0)
            found = _VERSION.search(outcome.text)
            if outcome.exit_code != 0 or found is None:
                raise ToolMissing(
                    f"{self._executable} version does not tell its version", hint=GET_WERF
                )
            if int(found[1]) < 2:
                raise ToolMissing(f"werf {found[0]} is too old: version 2 is needed", hint=GET_WERF)
            self._version = found[0]
        return self._version

    def check(self, request: BuildRequest) -> None:
        """The version, the arguments, and that werf may read the generated config."""
        self.version()
        self.command(request, request.work / REPORT)
        if not request.own:
            check_giterminism(request)

    def images(self, request: BuildRequest) -> tuple[str, ...]:
        """As `werf config list` says it; raises what build() would for a config that is not right."""
        only = "--final-images-only"
        final = _given(request.arguments, request.environ, "WERF_FINAL_IMAGES_ONLY", only)
        outcome = self._runner.run(
            Command(
                argv=(
                    *(self._executable, "config", "list", "--log-quiet"),
                    *((only,) if final else ()),
                    *self._config(request),
                    *(("--dev",) if request.dev else ()),
                    *_rendering(request.arguments),
                ),
                cwd=request.root,
                env={**request.variables, **QUIET},
            )
        )
        if outcome.exit_code != 0:
            redact = redactor(request.environ)
            raise classify(
                redact(outcome.stderr.decode(errors="replace")),
                [redact(line) for line in outcome.text.splitlines()],
                log_path=None,
                exit_code=outcome.exit_code,
            )
        names = {line.strip() for line in outcome.text.splitlines() if line.strip()}
        return tuple(sorted("" if name == "~" else name for name in names))

    def _config(self, request: BuildRequest) -> tuple[str, ...]:
        """werf finds werf.yaml and werf.yml by itself."""
        path = str(request.config.relative_to(request.root))
        return () if request.own and path in OWN_CONFIGS else ("--config", path)

    def build(self, request: BuildRequest, tell: Tell) -> BuildReport:
        report = request.work / REPORT
        _remove_stale(report)
        request.log.parent.mkdir(parents=True, exist_ok=True)
        progress = _Progress(tell)
        redact = redactor(request.environ)
        with request.log.open("w", encoding="utf-8", errors="replace") as log:

            def on_line(stream: str, line: str) -> None:
                line = redact(line)
                log.write(line + "\n")
                log.flush()
                progress(stream, line)

            given = request.docker_config
            outcome = self._runner.run(
                Command(
                    argv=self.command(request, report),
                    cwd=request.root,
                    env={**request.variables, **({"DOCKER_CONFIG": str(given)} if given else {})},
                ),
                on_line=on_line,
            )
        if outcome.exit_code != 0:
            raise classify(
                outcome.stderr.decode(errors="replace"),
                list(progress.lines),
                log_path=request.log,
                exit_code=outcome.exit_code,
            )
        try:
            data = report.read_bytes()
        except FileNotFoundError as error:
            raise BuildFailed(
                "werf ended well, but wrote no report, so it is unknown what was built",
                hint=f"see {request.log}; take another release of werf",
            ) from error
        return parse_report(data, builder=self.name)

    def command(self, request: BuildRequest, report: Path) -> tuple[str, ...]:
        """The whole command line; what the user passes after -- comes last."""
        for argument in request.arguments:
            if argument.partition("=")[0] in _OURS:
                raise UsageError(
                    f"{argument.partition('=')[0]} is given to werf by orchestrator itself",
                    hint="leave it out after --; --repo and --tag are options before it",
                )
        environ = request.environ
        flags = [
            *self._config(request),
            "--repo",
            str(request.repository),
            "--save-build-report",
            "--build-report-path",
            str(report),
            "--log-color-mode=off",
            "--log-pretty=false",
            f"--parallel-tasks-limit={request.parallel}",
        ]
        if not _given(
            request.arguments, environ, "WERF_SYNCHRONIZATION", "-S", "--synchronization"
        ):
            flags.append("--synchronization=:local")
        cleanup = "--disable-auto-host-cleanup"
        in_ci = bool(environ.get("CI"))
        if in_ci and not _given(
            request.arguments, environ, "WERF_DISABLE_AUTO_HOST_CLEANUP", cleanup
        ):
            flags.append(cleanup)
        plain = request.insecure or is_loopback(request.repository.registry)
        insecure = "--insecure-registry"
        if plain and not _given(request.arguments, environ, "WERF_INSECURE_REGISTRY", insecure):
            flags.append(insecure)
        if request.dev:
            flags.append("--dev")
        # What the environment names, werf reads from there itself.
        named = {environ[name] for name in environ if name.startswith("WERF_SECONDARY_REPO_")}
        for repository in request.secondary:
            if repository not in named:
                flags += ["--secondary-repo", repository]
        return (self._executable, "build", *flags, *request.arguments)


def check_giterminism(request: BuildRequest) -> None:
    """werf reads a generated config only where a committed file allows it (giterminism)."""
    wanted = request.giterminism or giterminism.needed(Usage())
    there = giterminism.FILE in request.tree.paths()
    lacking = giterminism.lacking(request.tree.read(giterminism.FILE), wanted) if there else None
    if lacking == []:
        return
    what = "does not allow all that the build uses" if there else "is not committed"
    findings = [Finding(giterminism.FILE, 0, f"lacks {each}") for each in lacking or ()]
    raise ConfigError(
        f"{giterminism.FILE} {what}: werf would refuse the config",
        findings,
        hint=f"write it with: orchestrator render --giterminism; then commit it. It is:\n"
        f"{giterminism.text(wanted)}",
    )


def _given(
    arguments: tuple[str, ...], environ: Mapping[str, str], variable: str, *flags: str
) -> bool:
    named = {argument.partition("=")[0] for argument in arguments}
    return bool(environ.get(variable)) or not named.isdisjoint(flags)


def _rendering(arguments: tuple[str, ...]) -> list[str]:
    """Those of the user's arguments that change what a config renders to."""
    chosen: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        name, equals, _ = argument.partition("=")
        if name in _RENDERING:
            chosen.append(argument)
            if _RENDERING[name] and not equals:
                chosen += [value for value in (next(rest, None),) if value is not None]
    return chosen


def _remove_stale(report: Path) -> None:
    """werf leaves an old report in place when it fails."""
    try:
        report.unlink(missing_ok=True)
    except OSError as error:
        raise OrchestratorError(
            f"cannot remove the report of the build before, {report}: {error.strerror}",
            hint="remove it by hand",
        ) from error
    with suppress(FileExistsError):
        report.parent.mkdir(parents=True)


class _Progress:
    """Events from werf's log groups; keeps the last lines for the error message."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._built: set[str] = set()
        self._current: str | None = None
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)

    def __call__(self, stream: str, line: str) -> None:
        if stream == "stdout":
            self.lines.append(line)
        if found := _BEGIN.match(line):
            self._current = found[1]
            self._tell("image", name=found[1], state="building")
        elif found := _END.match(line):
            name, seconds, failed = found.groups()
            state = "failed" if failed else "built" if name in self._built else "reused"
            self._tell("image", name=name, state=state, seconds=float(seconds))
            self._current = None
        elif "Building stage " in line and self._current:
            self._built.add(self._current)
