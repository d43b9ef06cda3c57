"""Messages on stderr: a live view on a terminal, a line an event elsewhere, JSON for machines.

Every text passes `mask()`: values of secret variables and the queries of URLs are never shown.
"""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from orchestrator.redact import GITHUB_OLD_COMMAND, mask, tame


class Reporter(Protocol):
    """Takes events; a context that ends the view in order."""

    def __call__(self, event: str, /, **fields: Any) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def describe(event: str, fields: Mapping[str, Any]) -> str | None:
    """One line for people; None for what is detail (builder output goes to the build log)."""
    match event:
        case "stage":
            return _stage(fields)
        case "image":
            return _image(fields)
        case "pushed" | "present" | "restored" | "copied":
            word = {"present": "already there:"}.get(event, event)
            return f"{word} {_pinned(fields)}"
        case "kept" if "instead_of" in fields:
            return (
                f"kept {_pinned(fields)}: made from the same commit and inputs; nothing was "
                f"replaced by {fields['instead_of']}, whose images were built anew "
                "(the stage cache was cleaned, or the build is not reproducible)"
            )
        case "kept":
            return f"already there: {_pinned(fields)}"
        case "unfinished":
            return f"{_pinned(fields)} was never released and was made from something else"
        case "replaced":
            return f"replaced {fields['reference']}@{fields['was']} by {fields['digest']}"
        case "published":
            return f"{fields['reference']} is already released from this commit"
        case "verified":
            return f"{fields['reference']}: {fields['images']} images and {fields['blobs']} blobs are there"
        case "wrote" | "adopted":
            return f"{event} {fields['path']}"
        case "warning":
            return f"warning: {fields['text']}"
        case _:
            return None


def _stage(fields: Mapping[str, Any]) -> str | None:
    match fields["state"]:
        case "skip":
            return f"{fields['reason']}"
        case "run":
            return f"runs: {fields['reason']}"
        case _:
            return None


def _image(fields: Mapping[str, Any]) -> str:
    seconds = fields.get("seconds")
    after = f" in {seconds:.1f} s" if seconds else ""
    return f"image {fields['name']}: {fields['state']}{after}"


def _pinned(fields: Mapping[str, Any]) -> str:
    digest = f"@{fields['digest']}" if "digest" in fields else ""
    return f"{fields['reference']}{digest}"


class Lines:
    """One line an event, in sections that GitLab and GitHub can fold."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        self._stream = stream
        self._environ = environ
        self._stage = ""
        self._open = ""
        self._sections = (
            "gitlab"
            if environ.get("GITLAB_CI")
            else "github"
            if environ.get("GITHUB_ACTIONS")
            else ""
        )

    def __call__(self, event: str, /, **fields: Any) -> None:
        if event == "stage":
            self._stage = str(fields["stage"])
            if fields["state"] == "run":
                self._begin(self._stage)
        text = describe(event, fields)
        if text is not None:
            self._write(f"{self._stage:<9} {text}" if self._stage else text)
        if event == "stage" and fields["state"] == "done":
            self._end()

    def _write(self, text: str) -> None:
        self._stream.write(tame(mask(text, self._environ)) + "\n")
        self._stream.flush()

    def _begin(self, stage: str) -> None:
        self._end()
        self._open = stage
        if self._sections == "gitlab":
            self._stream.write(f"section_start:{int(time.time())}:{stage}\r\x1b[0K{stage}\n")
        elif self._sections == "github":
            self._stream.write(f"::group::{stage}\n")

    def _end(self) -> None:
        if self._open and self._sections == "gitlab":
            self._stream.write(f"section_end:{int(time.time())}:{self._open}\r\x1b[0K\n")
        elif self._open and self._sections == "github":
            self._stream.write("::endgroup::\n")
        self._open = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()
        self._stage = ""
        self._stream.flush()


class Terminal(Lines):
    """Lines with a live last line that says what is going on."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        super().__init__(stream, environ)
        from rich.console import Console
        from rich.status import Status

        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._status = Status("", console=self._console)
        self._working: dict[str, None] = {}

    def __call__(self, event: str, /, **fields: Any) -> None:
        if event == "image" and fields["state"] == "building":
            self._working[str(fields["name"])] = None
        elif event == "image":
            self._working.pop(str(fields["name"]), None)
        super().__call__(event, **fields)
        doing = ", ".join(self._working)
        self._status.update(f"{self._stage} {doing}".strip())

    def _write(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text(tame(mask(text, self._environ))))

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._status.stop()
        super().__exit__()


class Json:
    """One JSON object an event, by structlog."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        import structlog

        def masked(_logger: Any, _method: str, event: Any) -> Any:
            return {
                key: mask(value, environ).replace(GITHUB_OLD_COMMAND, "## [")
                if isinstance(value, str)
                else value
                for key, value in event.items()
            }

        self._log = structlog.wrap_logger(
            structlog.PrintLogger(stream),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                masked,
                structlog.processors.JSONRenderer(sort_keys=True),
            ],
        )

    def __call__(self, event: str, /, **fields: Any) -> None:
        if event == "line":
            return
        plain = {
            key: value if isinstance(value, (int, float, type(None))) else str(value)
            for key, value in fields.items()
        }
        log = self._log.warning if event == "warning" else self._log.info
        log(event, **plain)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass


def make_reporter(log_format: str, environ: Mapping[str, str]) -> Reporter:
    """`auto` is a live view on a terminal and lines elsewhere; `text` is lines, `json` JSON."""
    stream = sys.stderr
    if log_format == "json":
        return Json(stream, environ)
    live = log_format == "auto" and stream.isatty() and not environ.get("CI")
    if live and environ.get("TERM", "dumb") != "dumb":
        return Terminal(stream, environ)
    return Lines(stream, environ)
