"""Maps of base images: YAML files from a key to a digest, or to `name:tag@digest`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from orchestrator import yamldoc
from orchestrator.errors import ConfigError, Finding
from orchestrator.model import Digest

# The one key that is no image: what stands before each reference.
REGISTRY_KEY: Final = "REGISTRY_PATH"
FILE: Final = "base_images.yml"

_VALUE: Final = re.compile(r"(?:([^@\s]+)@)?(sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """One entry: its line, the `name:tag` before its digest where there is one, the digest."""

    line: int
    name: str
    digest: Digest

    @property
    def value(self) -> str:
        return f"{self.name}@{self.digest}" if self.name else self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseMap:
    """A map of base images as it was read."""

    origin: str
    registry: str
    images: Mapping[str, BaseImage]
    text: str = field(repr=False)

    def with_images(self, images: Mapping[str, "BaseImage"]) -> str:
        """The text with other images; all else, comments and order too, stays as it is."""
        lines = self.text.splitlines(keepends=True)
        for key, new in images.items():
            old = self.images[key]
            here, there = (
                (old.value, new.value) if new.name and old.name else (old.digest, new.digest)
            )
            lines[old.line - 1] = lines[old.line - 1].replace(here, there, 1)
        return "".join(lines)


def keys(data: bytes) -> frozenset[str]:
    """The names in a map, whatever their values are; none where it cannot be read."""
    value = yamldoc.load(data, FILE, ambiguous=False).value
    return frozenset(value) - {REGISTRY_KEY} if isinstance(value, dict) else frozenset()


def parse(data: bytes, origin: str) -> BaseMap:
    """Raises ConfigError with every entry that is not pinned."""
    document = yamldoc.load(data, origin, ambiguous=False)
    findings = list(document.findings)
    images: dict[str, BaseImage] = {}
    registry = ""
    if not isinstance(document.value, dict) and not findings:
        findings.append(Finding(origin, 1, "a map of base images is expected"))
    for key, value in document.value.items() if isinstance(document.value, dict) else ():
        line = document.lines.get((key,), 0)
        if key == REGISTRY_KEY:
            registry = str(value).rstrip("/")
            continue
        found = _VALUE.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            findings.append(Finding(origin, line, f"{key}: {value!r} is not pinned by a digest"))
        else:
            digest = Digest(found[2])
            if digest not in data.decode(errors="replace").splitlines()[line - 1]:
                findings.append(Finding(origin, line, f"{key}: write its value on the same line"))
            images[key] = BaseImage(line=line, name=found[1] or "", digest=digest)
    if findings:
        raise ConfigError(f"{origin} is not a map of base images", sorted(findings))
    return BaseMap(origin=origin, registry=registry, images=images, text=data.decode())
