"""What the rules look at: the files of a tree that matter, the tags at HEAD, the release before."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

from orchestrator import module, werf_config
from orchestrator.deps import basemap
from orchestrator.lint.werf import Config, read_config
from orchestrator.model import is_release
from orchestrator.shape import Shape

_TOP: Final = re.compile(
    r"module\.ya?ml|modules\.yaml|Chart\.(yaml|lock)|values\.yaml|oss\.yaml|version\.json"
    r"|werf[\w-]*\.ya?ml|enabled|orchestrator\.yaml|Makefile|Taskfile\.ya?ml|Jenkinsfile"
    r"|\.gitlab-ci\.yml|changelog\.ya?ml|images_digests\.json"
)
_BELOW: Final = (".werf/", "templates/", "openapi/", "hooks/", ".github/workflows/", ".gitlab/")
_ELSEWHERE: Final = re.compile(
    r"charts/[^/]+\.tgz|charts/[^/]+/Chart\.yaml|CHANGELOG/[^/]+|images/[^/]+/[^/]*Dockerfile"
    r"|images/[^/]+/werf\.inc\.yaml|images/hooks/.+\.go"
)
_USUAL: Final = Shape()
BASE_MAP: Final = re.compile(r"""["']((?:[\w./-]*/)?[\w-]*(?:base[_-]|_)images\.ya?ml)["']""")


class Tree(module.Tree, Protocol):
    """Files of a module; git.Tree is one."""

    submodules: tuple[str, ...]

    def executable(self, path: str) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class Sources:
    """One module to look at.

    `prefix` leads to it from the top of the work tree; `previous` is the last release before HEAD
    with its openapi files; `beside` holds maps of base images that lie in the directory, but not
    in the tree. `shape` and `values` are what the settings say of the layout and to fragments.
    """

    tree: Tree
    prefix: str = ""
    name: str | None = None
    tags: Sequence[str] = ()
    previous: tuple[str, Mapping[str, bytes]] | None = None
    beside: Mapping[str, bytes] = field(default_factory=dict)
    takes_base_images: bool = False
    shape: Shape = _USUAL
    values: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None

    @cached_property
    def paths(self) -> frozenset[str]:
        return frozenset(self.tree.paths())

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """The files that rules read."""
        wanted = [path for path in self.paths if is_read(path) and not self.tree.is_symlink(path)]
        return self.tree.read_all(sorted(wanted))

    @cached_property
    def texts(self) -> Mapping[str, str]:
        return {path: data.decode(errors="replace") for path, data in self.files.items()}

    @cached_property
    def examined(self) -> module.Examined:
        return module.examine(self.tree, name=self.name, shape=self.shape)

    @property
    def module_name(self) -> str:
        return self.examined.module.name

    @property
    def release(self) -> str | None:
        """The version that the tag at HEAD makes a release of."""
        return next((tag for tag in reversed(self.tags) if is_release(tag)), None)

    @property
    def own_werf(self) -> bool:
        """Whether the module brings a werf.yaml of its own."""
        return "werf.yaml" in self.paths or "werf.yml" in self.paths

    @cached_property
    def base_maps(self) -> Mapping[str, bytes | None]:
        """The maps that the werf config reads, None for one that is not there."""
        return {
            path: self.files.get(path, self.beside.get(path)) for path in base_map_paths(self.texts)
        }

    @cached_property
    def base_keys(self) -> frozenset[str] | None:
        """The names that the maps give, None where that cannot be told."""
        if not self.base_maps or None in self.base_maps.values():
            return None
        return frozenset().union(*(basemap.keys(data or b"") for data in self.base_maps.values()))

    @cached_property
    def generated(self) -> werf_config.Sources:
        """What a werf config would be generated from; raises ConfigError for a map that is none."""
        return werf_config.collect(
            self.tree,
            self.directory or Path(),
            self.examined.module,
            self.shape,
            args={},
            values=self.values,
        )

    @cached_property
    def config(self) -> Config:
        """The images that the werf config declares and uses, read as text."""
        images = self.examined.module.images
        dead = set() if self.own_werf else {f"{i.directory}/werf.inc.yaml" for i in images}
        dead -= {image.file for image in images}
        return read_config(
            {path: text for path, text in self.texts.items() if is_werf(path) and path not in dead},
            images=images,
            module_name=self.module_name,
            own=self.own_werf,
            base_keys=self.base_keys,
        )

    def matching(self, pattern: str) -> dict[str, str]:
        """The texts whose whole path fits."""
        return {p: text for p, text in sorted(self.texts.items()) if re.fullmatch(pattern, p)}


def is_read(path: str) -> bool:
    return bool(
        path.startswith(_BELOW)
        or _TOP.fullmatch(path)
        or _ELSEWHERE.fullmatch(path)
        or BASE_MAP.fullmatch(f"'{path}'")
    )


def is_werf(path: str) -> bool:
    """Whether a file is part of the werf config."""
    return (
        path in {"werf.yaml", "werf.yml"}
        or path.startswith(".werf/")
        or (path.startswith("images/") and path.endswith("/werf.inc.yaml"))
    )


def base_map_paths(texts: Mapping[str, str]) -> list[str]:
    """The maps of base images that a werf config names."""
    return sorted(
        {found for path, text in texts.items() if is_werf(path) for found in BASE_MAP.findall(text)}
    )


def of_openapi(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if path.startswith("openapi/")]
