"""Manifests as values, and as YAML that YAML 1.1 and 1.2 read alike."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from orchestrator import yamldoc
from orchestrator.errors import UsageError
from orchestrator.model import escape_control

GROUP: Final = "deckhouse.io"
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+=-]*(:[0-9]+[A-Za-z0-9._/+=-]*)?")
_BLOCK: Final = re.compile(r"([!-~][ -~]*\n)+")
_DATE: Final = re.compile(r"[0-9]{4}-")
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def parse_name(text: str) -> str:
    """A name of a cluster object, by RFC 1123; raises UsageError."""
    if not _NAME.fullmatch(text) or len(text) > 253:
        raise UsageError(
            f"{text!r} is not a name of a cluster object",
            hint="use lower-case letters, digits, dashes and dots, as in dev or my-modules",
        )
    return text


def manifest(version: str, kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """An object of the group deckhouse.io."""
    return {
        "apiVersion": f"{GROUP}/{version}",
        "kind": kind,
        "metadata": {"name": name},
        "spec": dict(spec),
    }


def to_yaml(value: Mapping[str, Any]) -> str:
    """Nested maps of text and truth values, in their order; lines of ASCII become a literal block."""
    return "".join(_lines(value, ""))


def _lines(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        if isinstance(item, Mapping):
            yield f"{indent}{key}:\n"
            yield from _lines(item, f"{indent}  ")
        elif isinstance(item, str) and _BLOCK.fullmatch(item):
            yield f"{indent}{key}: |\n"
            yield from (f"{indent}  {line}\n" for line in item.splitlines())
        else:
            yield f"{indent}{key}: {_scalar(item)}\n"


def _scalar(item: str | bool) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    return item if _is_plain(item) else escape_control(json.dumps(item, ensure_ascii=False))


def _is_plain(text: str) -> bool:
    """Whether no reader takes the bare text for anything but this text, such as a number or a date."""
    if not _PLAIN.fullmatch(text) or _DATE.match(text):
        return False
    document = yamldoc.load(str(text), "")
    return document.value == text and not document.findings
