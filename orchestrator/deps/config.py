"""The part `deps:` of orchestrator.yaml: where each dependency is taken from."""

import re
from dataclasses import dataclass
from typing import Final

from orchestrator import settings
from orchestrator.deps import basemap
from orchestrator.errors import ConfigError, Finding
from orchestrator.model import Reference, Repository, has_control
from orchestrator.schema import Record, Text

_FILE: Final = re.compile(r"[./].*|.*\.(ya?ml|tgz)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where something is read: a file, a manifest, or a repository with one image a key."""

    text: str
    file: str | None = None
    reference: Reference | None = None
    repository: Repository | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """What a module declares; `map_file` is the map of base images in the module."""

    base_images: Origin | None = None
    map_file: str = basemap.FILE
    lib_helm: Origin | None = None


def _inside(path: str) -> str | None:
    if path.startswith("/") or ".." in path.split("/") or has_control(path) or not path:
        return f"{path!r} is not a path inside the module"
    return None


_SCHEMA: Final = Record(
    {
        "base_images": Record(
            {"from": Text(), "file": Text(rule=_inside)}, required=frozenset({"from"})
        ),
        "lib_helm": Record({"from": Text()}, required=frozenset({"from"})),
    }
)


def read(file: bytes | None) -> Deps:
    """Raises ConfigError with all that is wrong with the section."""
    section = settings.section(file, "deps", _SCHEMA)
    value = section.value or {}
    origins: dict[str, Origin] = {}
    findings = []
    for name, entry in value.items():
        try:
            origins[name] = _origin(entry["from"], tagged=name == "lib_helm")
        except ConfigError as error:
            line = section.lines.get((name, "from"), 0)
            findings.append(Finding(settings.FILE, line, f"deps.{name}.from: {error.message}"))
    if findings:
        raise ConfigError(
            f"{settings.FILE} is not right",
            findings,
            hint="name a file, such as ./base_images.yml, or a registry reference with a tag",
        )
    return Deps(
        base_images=origins.get("base_images"),
        map_file=value.get("base_images", {}).get("file", basemap.FILE),
        lib_helm=origins.get("lib_helm"),
    )


def _origin(text: str, *, tagged: bool) -> Origin:
    if has_control(text):
        raise ConfigError("it holds a control character")
    if _FILE.fullmatch(text):
        return Origin(text=text, file=text)
    bare = text.removeprefix("oci://")
    if tagged or "@" in bare or ":" in bare.rpartition("/")[2]:
        return Origin(text=text, reference=Reference.parse(bare))
    return Origin(text=text, repository=Repository.parse(bare))
