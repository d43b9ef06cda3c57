"""The lib-helm chart: what a packed chart is, and where its version stands in Chart.yaml."""

import re
from dataclasses import dataclass
from typing import Final

from orchestrator import yamldoc
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.registry.layer import entries

LIB_HELM: Final = "deckhouse_lib_helm"
_PACKED: Final = re.compile(rf"charts/{LIB_HELM}-(.+)\.tgz")
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """An entry of `dependencies:`; `line` is that of its version."""

    version: str
    line: int


def path_of(version: str) -> str:
    """Where a version of lib-helm lies in a module."""
    return f"charts/{LIB_HELM}-{version}.tgz"


def is_packed(path: str) -> bool:
    """Whether a path is that of a vendored lib-helm."""
    return _PACKED.fullmatch(path) is not None


def unpack(data: bytes, origin: str) -> Chart:
    """Name and version of a packed chart; raises ConfigError where it is none."""
    try:
        for entry in entries([data], wanted=_is_definition):
            if entry.is_file and _is_definition(entry.name):
                return _chart(entry.data, origin)
    except VerificationError as error:
        raise ConfigError(
            f"{origin} is not a packed chart: {error.message}", hint="make one with helm package"
        ) from error
    raise ConfigError(
        f"{origin} is not a packed chart: it has no Chart.yaml", hint="make one with helm package"
    )


def _is_definition(name: str) -> bool:
    return bool(re.fullmatch(r"(\./)?[^/]+/Chart\.yaml", name))


def _chart(data: bytes, origin: str) -> Chart:
    value = yamldoc.load(data, "Chart.yaml", ambiguous=False).value
    name, version = (
        (value.get("name"), value.get("version")) if isinstance(value, dict) else (None, None)
    )
    # The version becomes part of a file name.
    if not isinstance(name, str) or not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise ConfigError(
            f"{origin}: its Chart.yaml says name {name!r} and version {version!r}",
            hint="give a chart with a version such as 1.72.13",
        )
    return Chart(name=name, version=version)


def dependency(data: bytes, origin: str) -> Dependency | None:
    """What a Chart.yaml or Chart.lock says of lib-helm, None where it does not name it."""
    document = yamldoc.load(data, origin, ambiguous=False)
    value = document.value.get("dependencies") if isinstance(document.value, dict) else None
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, dict) and item.get("name") == LIB_HELM:
            path = ("dependencies", index, "version")
            return Dependency(
                version=str(item.get("version", "")), line=document.lines.get(path, 0)
            )
    return None


def with_version(text: str, found: Dependency, version: str) -> str:
    """Chart.yaml with another version of lib-helm; all other lines stay as they are."""
    lines = text.splitlines(keepends=True)
    lines[found.line - 1] = re.sub(
        r"(version:\s*)(\"[^\"]*\"|'[^']*'|[^\s#,}]+)",
        lambda match: match[1] + _quoted_like(match[2], version),
        lines[found.line - 1],
        count=1,
    )
    return "".join(lines)


def _quoted_like(before: str, text: str) -> str:
    return f"{before[0]}{text}{before[0]}" if before[0] in "\"'" else text
