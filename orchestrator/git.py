"""The git work tree of a module as values: a snapshot, and a tree of files read from git objects."""

import re
import shlex
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import ConfigError, OrchestratorError, ToolMissing
from orchestrator.process import Command, Outcome, Runner

# Written by us into the work tree; never part of what is published.
OWN_FILES: Final = (".orchestrator", "images_tags_werf.json")

_SYMLINK: Final = "120000"
_EXECUTABLE: Final = "100755"
_SUBMODULE: Final = "160000"
# In English, since we ask with LC_ALL=C; git names the top of the work tree.
_UNTRUSTED: Final = re.compile(r"dubious ownership in repository at '(.*)'")
_UNSAFE: Final = frozenset({"", ".", "..", ".git"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """HEAD and the state of a module directory; `committed_at` is in seconds of the epoch.

    `tree` is the id of the module directory's tree: that of HEAD, or one with the dirty files.
    """

    root: Path
    prefix: str
    commit: str
    committed_at: int
    tree: str
    dirty: tuple[str, ...]
    branch: str | None
    tags: tuple[str, ...]


def snapshot(runner: Runner, directory: Path, *, with_dirty: bool) -> Snapshot:
    """Raises ConfigError where there is no work tree or no commit, ToolMissing without git."""
    if runner.which("git") is None:
        raise ToolMissing("git is not installed", hint="apt-get install git")
    prefix = _prefix(runner, directory)
    head = _git(
        runner,
        directory,
        "-c",
        "log.showSignature=false",
        "log",
        "-1",
        "--format=%H %ct %T%n%D",
        "--decorate=full",
        # Named, or log.excludeDecoration would hide tags.
        "--decorate-refs=refs/heads/",
        "--decorate-refs=refs/tags/",
        "--decorate-refs=HEAD",
        "HEAD",
    )
    if head.exit_code != 0:
        raise ConfigError(
            f"{directory} has no commit yet",
            hint="builds are made from commits: git add the module, then git commit",
        )
    identity, _, names = head.text.partition("\n")
    commit, committed_at, whole_tree = identity.split()
    branch, tags = _names(names.strip())
    dirty = _dirty(runner, directory, prefix)
    tree = _with_dirty(runner, directory) if with_dirty and dirty else whole_tree
    if prefix:
        tree = _below(runner, directory, tree, prefix)
    return Snapshot(
        root=directory,
        prefix=prefix,
        commit=commit,
        committed_at=int(committed_at),
        tree=tree,
        dirty=dirty,
        branch=branch,
        tags=tags,
    )


def _prefix(runner: Runner, directory: Path) -> str:
    inside = _git(runner, directory, "rev-parse", "--is-inside-work-tree", "--show-prefix")
    if found := _UNTRUSTED.search(_text(inside.stderr)):
        raise ConfigError(
            f"git does not trust {found[1]}, since another user owns it",
            hint=f"git config --global --add safe.directory {shlex.quote(found[1])}",
        )
    answer, _, prefix = _text(inside.stdout).partition("\n")
    if inside.exit_code != 0 or answer != "true":
        raise ConfigError(
            f"{directory} is not in a git work tree",
            hint="builds are made from commits: git init, git add the module, git commit",
        )
    return prefix.removesuffix("\n")


def _below(runner: Runner, directory: Path, tree: str, prefix: str) -> str:
    found = _git(runner, directory, "rev-parse", "--verify", "-q", f"{tree}:{prefix[:-1]}")
    if found.exit_code != 0:
        raise ConfigError(
            f"nothing in {directory} is committed",
            hint="builds are made from commits: git add the module, then git commit",
        )
    return found.text.strip()


def _text(path: bytes) -> str:
    """Git names are bytes; by UTF-8 whatever the locale, so that every machine sees the same."""
    return path.decode(errors="surrogateescape")


def _names(decoration: str) -> tuple[str | None, tuple[str, ...]]:
    """Branch and tags from `HEAD -> refs/heads/main, tag: refs/tags/v1, refs/heads/other`."""
    branch = None
    tags = []
    for name in filter(None, decoration.split(", ")):
        if name.startswith("HEAD -> refs/heads/"):
            branch = name.removeprefix("HEAD -> refs/heads/")
        elif name.startswith("tag: refs/tags/"):
            tags.append(name.removeprefix("tag: refs/tags/"))
    return branch, tuple(sorted(tags))


def _dirty(runner: Runner, directory: Path, prefix: str) -> tuple[str, ...]:
    """Paths that differ from HEAD or are new and not ignored, relative to the module directory."""
    listed = _checked(
        runner,
        directory,
        "status",
        "--porcelain=v1",
        "-z",
        "--no-renames",
        "--untracked-files=all",
        "--",
        ".",
        *(f":(exclude){name}" for name in OWN_FILES),
    )
    paths = [_text(entry[3:]) for entry in listed.stdout.split(b"\0") if entry]
    return tuple(sorted(path.removeprefix(prefix) for path in paths))


def _with_dirty(runner: Runner, directory: Path) -> str:
    """A tree object of HEAD with the dirty files, by an index of its own: the user's stays as it is."""
    where = _checked(runner, directory, "rev-parse", "--git-path", "index").text.rstrip("\n")
    index = directory / where
    with tempfile.TemporaryDirectory(prefix="orchestrator-") as scratch:
        own = Path(scratch) / "index"
        if index.exists():
            own.write_bytes(index.read_bytes())
        environment = {"GIT_INDEX_FILE": str(own)}
        # In a sparse checkout git would refuse new files beside it; what is not checked out stays
        # in the index as it is in HEAD.
        whole = ("-c", "core.sparseCheckout=false")
        _checked(runner, directory, *whole, "add", "-A", "--", ".", env=environment)
        # `git add` refuses to exclude by name what is ignored already.
        drop = (*whole, "rm", "-r", "-q", "--cached", "--ignore-unmatch", "--", *OWN_FILES)
        _checked(runner, directory, *drop, env=environment)
        return _checked(runner, directory, "write-tree", env=environment).text.strip()


def merged_tags(runner: Runner, directory: Path) -> tuple[str, ...]:
    """The tags of HEAD and of all that came before it."""
    return tuple(_checked(runner, directory, "tag", "--merged", "HEAD").text.split())


def tagged_tree(runner: Runner, snapshot: Snapshot, tag: str) -> "Tree | None":
    """The module's tree at a tag, None where it was not there yet."""
    name = f"refs/tags/{tag}^{{commit}}:{snapshot.prefix}"
    found = _git(runner, snapshot.root, "rev-parse", "--verify", "-q", name)
    tree = found.text.strip()
    return Tree(runner, snapshot.root, tree) if found.exit_code == 0 and tree else None


def _git(
    runner: Runner,
    directory: Path,
    *arguments: str,
    env: dict[str, str] | None = None,
    stdin: bytes = b"",
) -> Outcome:
    fixed = {
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "0",
        **(env or {}),
    }
    return runner.run(Command(argv=("git", *arguments), cwd=directory, env=fixed, stdin=stdin))


def _checked(
    runner: Runner,
    directory: Path,
    *arguments: str,
    env: dict[str, str] | None = None,
    stdin: bytes = b"",
) -> Outcome:
    outcome = _git(runner, directory, *arguments, env=env, stdin=stdin)
    if outcome.exit_code != 0:
        error = outcome.stderr.decode(errors="replace").strip()
        verb = arguments[2] if arguments[0] == "-c" else arguments[0]
        raise OrchestratorError(
            f"git {verb} failed in {directory}: {error[:500]}",
            hint="see that the repository is sound: git fsck",
        )
    return outcome


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    blob: str


class Tree:
    """The files of a git tree; submodules are left out, symlinks are told and not followed."""

    def __init__(self, runner: Runner, directory: Path, tree_id: str) -> None:
        self._runner = runner
        self._directory = directory
        self.id = tree_id
        self._entries: dict[str, _Entry] = {}
        self._directories: dict[str, str] = {}
        self.submodules: tuple[str, ...] = ()
        self._list()

    def _list(self) -> None:
        listed = _checked(
            self._runner, self._directory, "ls-tree", "-r", "-t", "-z", "--full-tree", self.id
        )
        submodules = []
        for line in listed.stdout.split(b"\0"):
            if not line:
                continue
            head, _, raw = line.partition(b"\t")
            mode, kind, blob = head.decode().split()
            path = _text(raw)
            if not _UNSAFE.isdisjoint(path.split("/")):
                raise OrchestratorError(
                    f"the git tree {self.id} holds the path {path!r}",
                    hint="git itself would not check it out: see git fsck",
                )
            if mode == _SUBMODULE:
                submodules.append(path)
            elif kind == "tree":
                self._directories[path] = blob
            else:
                self._entries[path] = _Entry(mode, blob)
        self.submodules = tuple(submodules)

    def paths(self) -> Sequence[str]:
        return tuple(self._entries)

    def executable(self, path: str) -> bool:
        return self._entries[path].mode == _EXECUTABLE

    def is_symlink(self, path: str) -> bool:
        return self._entries[path].mode == _SYMLINK

    def id_of(self, path: str) -> str | None:
        """The id of a file or a directory, by content."""
        if path in self._entries:
            return self._entries[path].blob
        return self._directories.get(path)

    def listing(self, directory: str) -> list[tuple[str, str, str]]:
        """(path below the directory, mode, id) of its files, sorted; "." is the whole tree."""
        below = "" if directory in {"", "."} else f"{directory.rstrip('/')}/"
        return sorted(
            (path.removeprefix(below), entry.mode, entry.blob)
            for path, entry in self._entries.items()
            if path.startswith(below)
        )

    def read(self, path: str) -> bytes:
        """The content of a file; raises KeyError where there is none."""
        return self.read_all([path])[path]

    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Path -> content, by one git process; of a symlink the content is its target."""
        wanted = list(paths)
        if not wanted:
            return {}
        request = "".join(f"{self._entries[path].blob}\n" for path in wanted).encode()
        answer = _checked(
            self._runner, self._directory, "cat-file", "--batch", stdin=request
        ).stdout
        contents: dict[str, bytes] = {}
        position = 0
        for path in wanted:
            end = answer.index(b"\n", position)
            blob, kind, size = [*answer[position:end].decode().split(), "", ""][:3]
            if kind != "blob":
                raise OrchestratorError(
                    f"git lacks the object {blob} of {path}",
                    hint="a partial or damaged clone: fetch it again, or see git fsck",
                )
            start = end + 1
            contents[path] = answer[start : start + int(size)]
            position = start + int(size) + 1
        return contents

    def export(
        self, directory: str, destination: Path, keep: Callable[[str], bool] = lambda _path: True
    ) -> None:
        """Write the files below a directory with their execute bits; symlinks stay symlinks.

        `keep` takes a path below the directory and says whether to write it.
        """
        below = "" if directory in {"", "."} else f"{directory.rstrip('/')}/"
        inside = [p for p in self._entries if p.startswith(below) and keep(p.removeprefix(below))]
        _make_directory(destination)
        # Symlinks last: in a forged tree a file could otherwise be written through one.
        for path, data in self.read_all(sorted(inside, key=self.is_symlink)).items():
            target = destination / path.removeprefix(below)
            for parent in reversed(target.relative_to(destination).parents[:-1]):
                _make_directory(destination / parent)
            if self.is_symlink(path):
                target.symlink_to(_text(data))
            else:
                target.write_bytes(data)
                target.chmod(0o755 if self.executable(path) else 0o644)


def _make_directory(path: Path) -> None:
    """With fixed rights: the umask must not reach the modes of what is built."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)
