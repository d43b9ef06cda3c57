"""What must not be shown: values of secret variables, queries of URLs, commands to a CI system."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Final

from orchestrator.model import has_control

_SECRET_NAME: Final = re.compile(
    r"TOKEN|PASSWORD|PASSWD|PASSPHRASE|_PASS$|SECRET|PRIVATE|CREDENTIAL|AUTH(?!OR(?!I[SZ]))|_KEY$"
    r"|ACCESS_KEY",
    re.IGNORECASE,
)
_URL_QUERY: Final = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+", re.IGNORECASE)
_URL_USER: Final = re.compile(r"(://)[^/\s\"']+@")
_BEARER: Final = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_SHORTEST_SECRET: Final = 6
# GitHub's runner takes `::name::` at the start of a line, after any blanks, as a command to itself,
# and `##[name]` anywhere in it (actions/runner, ActionCommand.cs).
_GITHUB_COMMAND: Final = re.compile(r"^(\s*)::", re.MULTILINE)
GITHUB_OLD_COMMAND: Final = "##["


def secrets(environ: Mapping[str, str]) -> list[str]:
    """Values of variables whose names say that they are secret, by lines too, longest first."""
    found = {
        part
        for name, value in environ.items()
        if _SECRET_NAME.search(name)
        for part in (value, *map(str.strip, value.splitlines()))
        if len(part) >= _SHORTEST_SECRET
    }
    return sorted(found, key=lambda value: (-len(value), value))


def redactor(environ: Mapping[str, str]) -> Callable[[str], str]:
    """What takes secrets out of many texts; the environment is read once."""
    values = secrets(environ)
    # A secret of digits alone would be found within digests and times: only the whole word is one.
    digits = [re.compile(rf"(?<!\w){value}(?!\w)") for value in values if value.isdecimal()]
    others = [value for value in values if not value.isdecimal()]

    def redact(text: str) -> str:
        for value in others:
            text = text.replace(value, "***")
        for number in digits:
            text = number.sub("***", text)
        text = _URL_QUERY.sub(r"\1?***", text)
        text = _URL_USER.sub(r"\1***@", text)
        return _BEARER.sub(r"\1 ***", text)

    return redact


def mask(text: str, environ: Mapping[str, str] | None = None) -> str:
    """The text without secrets."""
    return redactor(os.environ if environ is None else environ)(text)


def tame(text: str) -> str:
    """The text without what commands a CI system or moves a cursor; further lines are indented."""
    shown = "".join(c if c == "\n" or not has_control(c) else " " for c in text)
    shown = _GITHUB_COMMAND.sub(r"\1| ::", shown.replace(GITHUB_OLD_COMMAND, "## ["))
    return shown.replace("\n", "\n          ")
