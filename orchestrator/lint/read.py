"""A module's sources out of its git work tree: all that the rules need, read once."""

from pathlib import Path

from orchestrator import git
from orchestrator.errors import ConfigError
from orchestrator.lint.sources import Sources, Tree, of_openapi
from orchestrator.model import is_release, precedence
from orchestrator.process import Runner
from orchestrator.settings import Settings
from orchestrator.shape import Shape


def read(
    runner: Runner, directory: Path, settings: Settings, *, takes_base_images: bool
) -> Sources:
    """The files as they are now, committed or not, and the release that HEAD comes after."""
    if not directory.is_dir():
        raise ConfigError(f"{directory} is not a directory", hint="see -C")
    snapshot = git.snapshot(runner, directory, with_dirty=True)
    tree = git.Tree(runner, directory, snapshot.tree)
    return Sources(
        tree=tree,
        prefix=snapshot.prefix,
        name=settings["name"],
        tags=snapshot.tags,
        previous=_previous(runner, snapshot),
        beside=_beside(directory, tree),
        takes_base_images=takes_base_images,
        shape=Shape.of(settings),
        values=settings["build_values"],
        directory=directory,
    )


def _previous(runner: Runner, snapshot: git.Snapshot) -> tuple[str, dict[str, bytes]] | None:
    there = git.merged_tags(runner, snapshot.root)
    releases = sorted(
        (tag for tag in there if is_release(tag) and tag not in snapshot.tags), key=precedence
    )
    tree = git.tagged_tree(runner, snapshot, releases[-1]) if releases else None
    return (releases[-1], tree.read_all(of_openapi(tree.paths()))) if tree else None


def _beside(directory: Path, tree: Tree) -> dict[str, bytes]:
    """Maps of base images that git ignores."""
    wanted = Sources(tree=tree).base_maps
    found = {}
    for path, data in wanted.items():
        file = directory / path
        if data is None and ".." not in Path(path).parts and file.is_file():
            found[path] = file.read_bytes()
    return found
