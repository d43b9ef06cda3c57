"""Maps of base images: key -> reference, in the forms that public modules have.

`REGISTRY_PATH` stands in front of every value: of a bare digest as `REGISTRY_PATH@sha256:…`, of
anything else as a path below it. Without it a value is a whole reference.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from orchestrator import yamldoc
from orchestrator.errors import ConfigError, Finding

PREFIX: Final = "REGISTRY_PATH"
# Where public modules have theirs; the first one that is there.
USUAL: Final = (
    "base_images.yml",
    ".werf/base_images.yml",
    "build/base-images/deckhouse_images.yml",
)

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_REFERENCE: Final = re.compile(r"[a-z0-9][A-Za-z0-9._:/-]*(@sha256:[0-9a-f]{64})?")


def parse(data: bytes, origin: str) -> dict[str, str]:
    """Raises ConfigError with a finding for every value that names no image."""
    document = yamldoc.load(data, origin, ambiguous=False)
    if document.findings:
        raise ConfigError("the map of base images is not right", document.findings)
    if not isinstance(document.value, dict):
        raise ConfigError(
            "the map of base images is not right", [Finding(origin, 1, "a map is expected")]
        )
    prefix = str(document.value.get(PREFIX) or "").rstrip("/")
    images, findings = {}, []
    for key, value in document.value.items():
        if key == PREFIX:
            continue
        reference = _reference(prefix, value)
        if reference is None:
            line = document.lines.get((key,), 0)
            findings.append(Finding(origin, line, f"{key}: {value!r} names no image"))
        else:
            images[str(key)] = reference
    if findings:
        raise ConfigError("the map of base images is not right", findings)
    return images


def _reference(prefix: str, value: object) -> str | None:
    text = value.rstrip("/") if isinstance(value, str) else ""
    if _DIGEST.fullmatch(text):
        return f"{prefix}@{text}" if prefix else None
    whole = f"{prefix}/{text}" if prefix else text
    return whole if _REFERENCE.fullmatch(text) and _REFERENCE.fullmatch(whole) else None


def merge(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Of several maps the first that has a key decides."""
    merged: dict[str, str] = {}
    for each in maps:
        merged = {**each, **merged}
    return merged
