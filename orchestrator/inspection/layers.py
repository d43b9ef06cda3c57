"""Layers as streams: one pass, little memory, and bounds that no layer can move.

Flattening is that of `mutate.Extract` in go-containerregistry, which `crane export` prints: upper
layers first, each name once, whiteouts and what they hide left out.
"""

import hashlib
import io
import posixpath
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Final

from orchestrator.errors import VerificationError
from orchestrator.registry.layer import Budget, Header, walk

_IN_MEMORY: Final = 8 * 1024 * 1024
MOST_BYTES: Final = 16 * 1024**3
_MOST_MEMBERS: Final = 500_000
_MOST_KEPT: Final = 20_000
_MOST_NAMES: Final = 64 * 1024 * 1024
# What the reader of layers counts for entries and their headers.
_MOST_HELD: Final = 512 * 1024 * 1024
_WHITEOUT: Final = ".wh."
_KINDS: Final = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hard link",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry of a flattened image; `sha256` of its content where that was asked for."""

    name: str
    kind: str
    mode: int
    size: int
    link: str = ""
    sha256: str = ""

    @property
    def is_file(self) -> bool:
        return self.kind == "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which contents to keep, `limit` bytes of them together, and whether to hash all."""

    keep: Callable[[str], bool] = lambda _name: False
    limit: int = MOST_BYTES
    hashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What was found so far; `hidden` tells of each name whether it hides what is below it."""

    members: tuple[Member, ...] = ()
    contents: Mapping[str, IO[bytes]] = field(default_factory=dict)
    hidden: Mapping[str, bool] = field(default_factory=dict)


def scan(above: Scan, chunks: Iterable[bytes], wanted: Wanted) -> Scan:
    """The next layer below what was scanned; raises VerificationError for one that is broken."""
    members, contents, hidden = list(above.members), dict(above.contents), dict(above.hidden)
    names = sum(map(len, hidden))
    kept = sum(member.size for member in members if member.name in contents)
    budget = Budget(sent=MOST_BYTES, unpacked=MOST_BYTES, held=_MOST_HELD)
    for header, pieces in walk(chunks, budget):
        if header.kind == tarfile.XGLTYPE:
            continue
        name = _clean(header.name)
        folder, base = posixpath.dirname(name), posixpath.basename(name)
        tombstone = base.startswith(_WHITEOUT)
        if tombstone:
            base = base.removeprefix(_WHITEOUT)
        is_directory = header.kind == tarfile.DIRTYPE
        key = name if is_directory else posixpath.join(folder, base)
        if key in hidden or _is_hidden(hidden, key):
            continue
        names += len(key)
        if len(hidden) >= _MOST_MEMBERS or names > _MOST_NAMES:
            raise VerificationError(f"an image of more than {_MOST_MEMBERS} files")
        hidden[key] = tombstone or not is_directory
        if not tombstone:
            if header.is_file and wanted.keep(name):
                kept += header.size
                if kept > wanted.limit or len(contents) >= _MOST_KEPT:
                    raise VerificationError(f"{name}: too much to read at once")
            member, content = _taken(header, pieces, name, wanted)
            members.append(member)
            if content is not None:
                contents[name] = content
    return Scan(members=tuple(members), contents=contents, hidden=hidden)


def _taken(
    header: Header, pieces: Iterator[bytes], name: str, wanted: Wanted
) -> tuple[Member, IO[bytes] | None]:
    keep = header.is_file and wanted.keep(name)
    found = hashlib.sha256()
    content = _room(header.size) if keep else None
    if keep or (wanted.hashed and header.is_file):
        for piece in pieces:
            found.update(piece)
            if content is not None:
                content.write(piece)
    member = Member(
        name=name,
        kind=_KINDS.get(header.kind, "special"),
        mode=header.mode,
        size=header.size if header.is_file else 0,
        link=header.link,
        sha256=f"sha256:{found.hexdigest()}" if wanted.hashed and header.is_file else "",
    )
    return member, content


def _room(size: int) -> IO[bytes]:
    return io.BytesIO() if size <= _IN_MEMORY else tempfile.TemporaryFile()


def _clean(name: str) -> str:
    """Go's filepath.Clean."""
    cleaned = posixpath.normpath(name)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def _is_hidden(hidden: Mapping[str, bool], name: str) -> bool:
    while name:
        folder = posixpath.dirname(name) or "."
        if folder == name:
            return False
        if hidden.get(folder):
            return True
        name = folder
    return False
