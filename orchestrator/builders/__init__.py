"""The port to whoever builds application images: a request in, a report out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestrator.events import Tell
from orchestrator.git import Tree
from orchestrator.model import Reference, Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """`reference` has tag and digest; `seconds` is what building took, 0 where it was reused."""

    name: str
    reference: Reference
    final: bool = True
    rebuilt: bool = False
    seconds: float = 0.0
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """All images of a build, sorted by name."""

    builder: str
    images: tuple[BuiltImage, ...]

    @property
    def final(self) -> tuple[BuiltImage, ...]:
        return tuple(image for image in self.images if image.final)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What to build from, where to, and how; `config` lies in the work tree.

    `own` says that it is the module's own, which the builder may read as any committed file.
    `variables` are for its templates; `giterminism` is what a generated one needs to be allowed.
    """

    root: Path
    config: Path
    repository: Repository
    work: Path
    log: Path
    tree: Tree
    own: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    giterminism: Mapping[str, Any] | None = None
    secondary: tuple[str, ...] = ()
    dev: bool = False
    insecure: bool = False
    docker_config: Path | None = None
    arguments: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    parallel: int = 5


class Builder(Protocol):
    """`name` is how settings call it; `version()` may start a process."""

    name: str

    def version(self) -> str: ...

    def check(self, request: BuildRequest) -> None:
        """What can be known without building or asking anybody; raises what build() would."""
        ...

    def images(self, request: BuildRequest) -> tuple[str, ...]:
        """The names of the images that build() would build, sorted; raises what it would."""
        ...

    def build(self, request: BuildRequest, tell: Tell) -> BuildReport:
        """Raises BuildFailed, ConfigError or ToolMissing; then nothing counts as built."""
        ...
