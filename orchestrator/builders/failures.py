"""What a failed werf said, as a cause and a fix.

Source of the texts: werf 2, and recordings of werf 2.62; the first row that fits wins.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import (
    BuildFailed,
    ConfigError,
    Finding,
    OrchestratorError,
    ToolMissing,
    TransientBuildError,
)

_TAIL: Final = 15
_IMAGE: Final = re.compile(r'unable to process image "([^"]*)"')
_LOG_IMAGE: Final = re.compile(r"\((?:\d+)/(?:\d+)\) image (.+?) (?:\([\d.]+ seconds\) FAILED)\s*$")
_STAGE: Final = re.compile(r"error building stage (\S+?):")
_FILES: Final = (
    re.compile(r'the (?:untracked )?file "([^"]+)" must be (?:committed|staged)'),
    re.compile(r'the file "([^"]+)"'),
    re.compile(r"^ - (\S.*)$", re.MULTILINE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """`kind` is the error to raise for a text that any of `signs` stands in."""

    signs: tuple[str, ...]
    kind: type[OrchestratorError]
    cause: str
    fix: str


_ROWS: Final = (
    _Row(
        signs=("requires a git work tree",),
        kind=ConfigError,
        cause="the module is not in a git work tree",
        fix="git init, git add the module, git commit",
    ),
    _Row(
        signs=("unable to get git repo head commit",),
        kind=ConfigError,
        cause="the repository has no commit yet",
        fix="git add the module, then git commit",
    ),
    _Row(
        signs=(
            "must be committed",
            "must be staged",
            "the untracked file",
            "the following untracked files",
        ),
        kind=ConfigError,
        cause="files that the build reads are not committed",
        fix="commit them, or give --tag NAME for a development build",
    ),
    _Row(
        signs=("not found in the project git repository",),
        kind=ConfigError,
        cause="a file that the build reads is not committed, or werf may not read it uncommitted",
        fix="commit it; for the generated config commit a werf-giterminism.yaml with "
        "config.allowUncommitted: true",
    ),
    _Row(
        signs=("the giterminism config validation failed",),
        kind=ConfigError,
        cause="werf-giterminism.yaml is not valid",
        fix="mend the file and commit it",
    ),
    _Row(
        signs=("not allowed by giterminism", "not accepted by giterminism config"),
        kind=ConfigError,
        cause="the build uses something that werf-giterminism.yaml does not allow",
        fix="allow it in werf-giterminism.yaml and commit that file",
    ),
    _Row(
        signs=("must be set or default must be provided",),
        kind=ConfigError,
        cause="a template reads an environment variable that is not set",
        fix="set it, or give env a default in the template",
    ),
    _Row(
        signs=("unable to init http synchronization", "unable to get client id"),
        kind=TransientBuildError,
        cause="werf cannot reach its synchronization server",
        fix="set WERF_SYNCHRONIZATION=:local for builds on one host, or run the same command again",
    ),
    _Row(
        signs=("unable to lock project",),
        kind=TransientBuildError,
        cause="werf could not take a lock of its synchronization",
        fix="run the same command again",
    ),
    _Row(
        signs=("unable to write report to",),
        kind=BuildFailed,
        cause="the images are built, but werf could not write its report",
        fix="see to the disk space and the permissions of .orchestrator, then run again",
    ),
    _Row(
        signs=("Please report a bug", "panic:", "goroutine 1 ["),
        kind=BuildFailed,
        cause="werf itself failed: this looks like a bug of werf",
        fix="report it to werf with the log, or take another release of werf",
    ),
    _Row(
        signs=("exhausted", "unexpected stages storage state"),
        kind=TransientBuildError,
        cause="stages vanished from the repository during the build, perhaps by a clean-up",
        fix="run the same command again when the clean-up has ended",
    ),
    _Row(
        signs=("failed to build image for stage", "error building stage"),
        kind=BuildFailed,
        cause="a build instruction failed",
        fix="mend the image's build; images that were built stay built",
    ),
    _Row(
        signs=("no space left on device",),
        kind=BuildFailed,
        cause="the disk of the builder is full",
        fix="free some space (werf host cleanup, buildah prune), then run again",
    ),
    _Row(
        signs=(
            "UNAUTHORIZED",
            "unauthorized",
            "DENIED",
            "denied: ",
            "authentication required",
            "403 Forbidden",
        ),
        kind=BuildFailed,
        cause="the registry refused the credentials, or there are none",
        fix="log in (werf cr login, docker login), or see $DOCKER_CONFIG",
    ),
    _Row(
        signs=("unable to pull image", "unable to fetch base image", "manifest unknown"),
        kind=BuildFailed,
        cause="a base image cannot be pulled",
        fix="see that the base image exists and that you may pull it",
    ),
    _Row(
        signs=(
            "connection refused",
            "connection reset",
            "i/o timeout",
            "TLS handshake timeout",
            "no such host",
            "TOOMANYREQUESTS",
            "429 Too Many",
            "500 Internal Server",
            "502 Bad Gateway",
            "503 Service",
            "504 Gateway",
            "unexpected EOF",
        ),
        kind=TransientBuildError,
        cause="the registry cannot be reached, or does not answer well",
        fix="see that it is up and that its address is right, then run the same command again",
    ),
    _Row(
        signs=(
            "unable to copy image into final repo",
            "unable to add custom image tags",
            "unable to store stage",
            "unable to push image",
        ),
        kind=TransientBuildError,
        cause="the images are built, but could not be stored in the registry",
        fix="run the same command again: what is built is not built again",
    ),
    _Row(
        signs=(
            "unable to init docker",
            "Cannot connect to the Docker daemon",
            "unable to get platform args",
            "native rootless mode is not available",
            '"fuse-overlayfs" binary not found',
            "unexpected mode specified",
        ),
        kind=ToolMissing,
        cause="werf has no working build backend",
        fix="start Docker, or set WERF_BUILDAH_MODE=auto (native-chroot inside containers)",
    ),
    _Row(
        signs=("no image matches pattern", "stages required"),
        kind=ConfigError,
        cause="an image was asked for that is not in the config, or not built",
        fix="leave image names out: all images of the module are built",
    ),
    _Row(
        signs=("shallow git clone is not allowed", "git shallow clone is not allowed"),
        kind=ConfigError,
        cause="the git clone is shallow, and the build needs history",
        fix="fetch all of it: GIT_DEPTH=0 in GitLab, fetch-depth: 0 in GitHub, or git fetch --unshallow",
    ),
    _Row(
        signs=("requires dependency image",),
        kind=ConfigError,
        cause="an image depends on another that is not built for the same platform",
        fix="give both the same platforms",
    ),
    _Row(
        signs=(
            "unknown flag",
            "unknown shorthand flag",
            "flag needs an argument",
            "invalid argument",
        ),
        kind=ConfigError,
        cause="werf does not take one of its arguments",
        fix="see the arguments after --, and that werf is a recent release of version 2",
    ),
    _Row(
        signs=(
            "unable to load werf config",
            "unable to render werf config",
            "unknown fields",
            "meta config section",
            "bad project name",
            "conflict between images names",
            "unknown doc type",
            "--repo=ADDRESS param required",
        ),
        kind=ConfigError,
        cause="werf does not accept the config",
        fix="see the module's own werf.yaml, or where there is none .orchestrator/werf.yaml, and the "
        "files that it includes",
    ),
)


def classify(
    stderr: str, log: Sequence[str], *, log_path: Path | None, exit_code: int
) -> OrchestratorError:
    """The error to raise for a werf that ended with `exit_code`; `log` are its last lines."""
    error = _last_error(stderr) or _last_error("\n".join(log)) or stderr.strip()[-2000:]
    images = sorted({*_IMAGE.findall(error), *filter(None, map(_log_image, log))})
    whole = f"{error}\n{stderr}"
    row = next((row for row in _ROWS if any(sign in error for sign in row.signs)), None)
    row = row or next((row for row in _ROWS if any(sign in whole for sign in row.signs)), None)
    named = f"image {', '.join(images)}" if images else "werf build"
    stage = _STAGE.search(error)
    at = f" at stage {stage[1]}" if stage else ""
    cause = row.cause if row else f"werf ended with exit code {exit_code}"
    message = f"{named}{at}: {cause}"
    hint = row.fix if row else "read what werf said"
    if log_path is not None:
        hint += f"; the whole log is {log_path}"
    details = _details(error, images, log)
    kind = row.kind if row else BuildFailed
    if issubclass(kind, ConfigError):
        return _config_error(message, error, details, hint)
    if issubclass(kind, BuildFailed):
        return kind(message, image=images[0] if images else None, hint=hint, details=details)
    return kind(message, hint=hint, details=details)


def _config_error(message: str, error: str, details: str, hint: str) -> ConfigError:
    files = next((found for pattern in _FILES if (found := pattern.findall(error))), [])
    raised = ConfigError(
        message, [Finding(path, 0, "named by werf") for path in sorted(set(files))], hint=hint
    )
    raised.details = "\n".join(filter(None, [raised.details, details]))
    return raised


def _last_error(text: str) -> str:
    """werf's own last words: from the last line that begins with `Error: ` to the end."""
    at = max(text.rfind("\nError: ") + 1, 0 if text.startswith("Error: ") else -1)
    return text[at:].strip() if text[at:].startswith("Error: ") else ""


def _log_image(line: str) -> str | None:
    found = _LOG_IMAGE.search(line)
    return found[1] if found else None


def _details(error: str, images: Sequence[str], log: Sequence[str]) -> str:
    """The last lines of the failing image's section of the log, and werf's last words."""
    lines = _section(images[0], log) if images else list(log)
    words = [line for line in error.splitlines() if line.strip()][:_TAIL]
    shown = [f"| {line}" for line in lines[-_TAIL:] if line.strip()]
    return "\n".join([*shown, *(line[:1000] for line in words)])


def _section(image: str, log: Sequence[str]) -> list[str]:
    start = re.compile(rf"┌.*\(\d+/\d+\) image {re.escape(image)}\s*$")
    end = re.compile(rf"└.*\(\d+/\d+\) image {re.escape(image)}\b.*FAILED")
    ends = [number for number, line in enumerate(log) if end.search(line)]
    if not ends:
        return list(log)
    starts = [number for number in range(ends[-1]) if start.search(log[number])]
    return list(log[starts[-1] if starts else 0 : ends[-1] + 1])
