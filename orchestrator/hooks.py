"""Hooks that have to be built: which images do it, and which files of theirs the module image takes.

Source: the shapes of public modules. Compiled hooks come out of an image of the module's own
(`go-hooks-artifact`), or, where there is none, out of one that is added here.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from orchestrator.shape import Import, Shape

OWN_IMAGE: Final = "go-hooks-artifact"
BATCH: Final = "batch-hooks"
PYTHON: Final = "python-dependencies"
# A fragment that may build the hooks, and the image name in it that says so.
_FRAGMENTS: Final = (
    ("images/go-hooks/werf.inc.yaml", OWN_IMAGE),
    ("images/go-hooks/werf.inc.yaml", ".ImageName }}-artifact"),
    ("images/hooks/werf.inc.yaml", OWN_IMAGE),
)
_BATCH_BASES: Final = ("builder/golang-alpine", "builder/golang", "GOLANG")
_PYTHON_BASES: Final = ("base/python", "builder/python", "PYTHON")
_REQUIREMENTS: Final = "lib/python/requirements.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """`build` are images to add, in order, each with the keys of base images that would do."""

    imports: tuple[Import, ...] = ()
    build: tuple[tuple[str, tuple[str, ...]], ...] = ()


def detect(paths: Collection[str], shape: Shape, read: Callable[[str], str]) -> Hooks:
    """What the tree and the settings say; `read` gives the text of a file."""
    if shape.imports is not None:
        return Hooks(imports=shape.imports)
    imports: list[Import] = []
    build: list[tuple[str, tuple[str, ...]]] = []
    if any(name in read(path) for path, name in _FRAGMENTS if path in paths):
        imports.append(
            Import(image=OWN_IMAGE, path="go-hooks", target="hooks/go-hooks", into="hooks/go")
        )
    elif any(path.startswith("hooks/batch/") and path.endswith(".go") for path in paths):
        imports.append(
            Import(image=BATCH, path="usr/local/bin/batchhooks", target="hooks/batchhooks")
        )
        build.append((BATCH, _BATCH_BASES))
    if _REQUIREMENTS in paths and any(path.endswith(".py") for path in paths):
        dist = "lib/python/dist"
        imports.append(Import(image=PYTHON, path=dist, target=dist, into=dist))
        build.append((PYTHON, _PYTHON_BASES))
    return Hooks(imports=tuple(imports), build=tuple(build))
