"""What a failed werf said, as a cause and a fix."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestrator.builders.causes import BUG, CAUSES, DISK, INSTRUCTION, STAGE, Cause
from orchestrator.errors import BuildFailed, ConfigError, Finding, OrchestratorError

_TAIL: Final = 15
_FIRST_WORDS: Final = 3
_IMAGE: Final = re.compile(r'unable to process image "([^"]*)"')
_LOG_IMAGE: Final = re.compile(
    r"^└ .*?\(\d+/\d+\) image (.+?)(?: \[[^\]]+\])? \([\d.]+ seconds\) FAILED\s*$"
)
_STAGE: Final = re.compile(r"error building stage (\S+?): ")
# A command of the user's may print lines that begin like the error of werf in which they stand.
_ERROR: Final = re.compile(r"^Error: ", re.MULTILINE)
_BUILD_ERROR: Final = re.compile(r"^Error: unable to process images: ", re.MULTILINE)
_FILES: Final = (
    re.compile(r'the (?:untracked )?file "([^"]+)" must be (?:committed|staged)'),
    re.compile(r'the file "([^"]+)"'),
    re.compile(r"^ - (\S.*)$", re.MULTILINE),
)


def classify(
    stderr: str, log: Sequence[str], *, log_path: Path | None, exit_code: int
) -> OrchestratorError:
    """The error to raise for a werf that ended with `exit_code`; `log` are its last lines."""
    error = _error(stderr)
    cause = _cause(error) if error else BUG if BUG.fits(stderr) else None
    error = error or stderr.strip()[-2000:]
    images = sorted({*_IMAGE.findall(error), *filter(None, map(_log_image, log))})
    named = f"image {', '.join(images)}" if images else "werf build"
    stage = _STAGE.search(error)
    at = f" at stage {stage[1]}" if stage else ""
    told = cause.cause if cause else f"werf ended with exit code {exit_code}"
    message = f"{named}{at}: {told}"
    hint = cause.fix if cause else "read what werf said"
    if log_path is not None:
        hint += f"; the whole log is {log_path}"
    details = _details(error, images, log)
    kind = cause.kind if cause else BuildFailed
    if issubclass(kind, ConfigError):
        return _config_error(message, error, details, hint)
    if issubclass(kind, BuildFailed):
        return kind(message, image=images[0] if images else None, hint=hint, details=details)
    return kind(message, hint=hint, details=details)


def _error(stderr: str) -> str:
    """werf's own last words, from `Error: ` to the end; they hold what a failed command printed."""
    found = [*_BUILD_ERROR.finditer(stderr)] or [*_ERROR.finditer(stderr)]
    return stderr[found[-1].start() :].strip() if found else ""


def _cause(error: str) -> Cause | None:
    stage = _STAGE.search(error)
    if stage is None:
        return next((cause for cause in CAUSES if cause.fits(error)), None)
    # From here on commands of the user's speak; only the last line is the builder's again.
    inside = error[stage.end() :]
    last = inside.splitlines()[-1] if inside else ""
    if DISK.fits(inside):
        return DISK
    return next((cause for cause in (INSTRUCTION, *CAUSES) if cause.fits(last)), STAGE)


def _config_error(message: str, error: str, details: str, hint: str) -> ConfigError:
    files = next((found for pattern in _FILES if (found := pattern.findall(error))), [])
    raised = ConfigError(
        message, [Finding(path, 0, "named by werf") for path in sorted(set(files))], hint=hint
    )
    raised.details = "\n".join(filter(None, [raised.details, details]))
    return raised


def _log_image(line: str) -> str | None:
    found = _LOG_IMAGE.search(line)
    return found[1] if found else None


def _details(error: str, images: Sequence[str], log: Sequence[str]) -> str:
    """The last lines of the failing image's section of the log, and werf's last words."""
    lines = _section(images[0], log) if images else list(log)
    words = [line for line in error.splitlines() if line.strip()]
    if len(words) > _TAIL:
        words = [*words[:_FIRST_WORDS], "...", *words[_FIRST_WORDS - _TAIL :]]
    shown = [f"| {line}" for line in lines[-_TAIL:] if line.strip()]
    return "\n".join([*shown, *(line[:1000] for line in words)])


def _section(image: str, log: Sequence[str]) -> list[str]:
    name = rf"\(\d+/\d+\) image {re.escape(image)}(?: \[[^\]]+\])?"
    start = re.compile(rf"┌.*{name}\s*$")
    end = re.compile(rf"└.*{name} \([\d.]+ seconds\) FAILED")
    ends = [number for number, line in enumerate(log) if end.search(line)]
    if not ends:
        return list(log)
    starts = [number for number in range(ends[-1]) if start.search(log[number])]
    return list(log[starts[-1] if starts else 0 : ends[-1] + 1])
