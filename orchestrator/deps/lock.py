"""orchestrator.lock: what was read and what it said, so that a check needs no network."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.errors import ConfigError
from orchestrator.fsio import pretty_json
from orchestrator.model import Digest

FILE: Final = "orchestrator.lock"
_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedMap:
    """`read` is the hash of the source, empty where each image was asked for by its tag."""

    origin: str
    read: str
    file: str
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedChart:
    """`read` is the hash of the packed chart, which is the vendored file too."""

    origin: str
    read: str
    file: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    base_images: LockedMap | None = None
    lib_helm: LockedChart | None = None


def write(lock: Lock) -> bytes:
    value: dict[str, Any] = {"schema": _SCHEMA}
    if (images := lock.base_images) is not None:
        value["base_images"] = {
            "from": images.origin,
            "read": images.read,
            "file": images.file,
            "images": dict(images.images),
        }
    if (chart := lock.lib_helm) is not None:
        value["lib_helm"] = {
            "from": chart.origin,
            "read": chart.read,
            "file": chart.file,
            "version": chart.version,
        }
    return pretty_json(value)


def read(data: bytes) -> Lock:
    """Raises ConfigError where it is no lock of ours."""
    try:
        value = _known(json.loads(data))
        images, chart = value.get("base_images"), value.get("lib_helm")
        return Lock(
            base_images=LockedMap(
                origin=str(images["from"]),
                read=str(images["read"]),
                file=str(images["file"]),
                images={key: Digest.parse(each) for key, each in images["images"].items()},
            )
            if images is not None
            else None,
            lib_helm=LockedChart(
                origin=str(chart["from"]),
                read=str(chart["read"]),
                file=str(chart["file"]),
                version=str(chart["version"]),
            )
            if chart is not None
            else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError) as error:
        raise ConfigError(
            f"{FILE} cannot be read: {error}", hint="write it anew: orchestrator deps update"
        ) from error


def _known(value: Any) -> Any:
    if value["schema"] != _SCHEMA:
        raise ValueError(f"its schema is {value['schema']!r}, and we know {_SCHEMA}")
    return value
