"""Layers as streams: one pass, little memory, and bounds that no layer can move.

Flattening is that of `mutate.Extract` in go-containerregistry, which `crane export` prints: upper
layers first, each name once, whiteouts and what they hide left out.
"""

import hashlib
import io
import posixpath
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final, TypeVar, cast

from orchestrator.errors import VerificationError

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_PIECE: Final = 1024 * 1024
_HEADER: Final = 1024 * 1024
_IN_MEMORY: Final = 8 * 1024 * 1024
MOST_BYTES: Final = 16 * 1024**3
_MOST_MEMBERS: Final = 500_000
_MOST_KEPT: Final = 20_000
_MOST_NAMES: Final = 64 * 1024 * 1024
_WHITEOUT: Final = ".wh."
# Headers may be chained, which tarfile follows by recursion.
_BROKEN: Final = (
    zlib.error,
    tarfile.TarError,
    EOFError,
    ValueError,
    OverflowError,
    RecursionError,
)

T = TypeVar("T")


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
    stream = _Forward(_inflated(iter(chunks)))
    members, contents, hidden = list(above.members), dict(above.contents), dict(above.hidden)
    names = sum(map(len, hidden))
    kept = sum(member.size for member in members if member.name in contents)
    try:
        for entry, archive in _entries(stream):
            name = _clean(entry.name)
            folder, base = posixpath.dirname(name), posixpath.basename(name)
            tombstone = base.startswith(_WHITEOUT)
            if tombstone:
                base = base.removeprefix(_WHITEOUT)
            key = name if entry.isdir() else posixpath.join(folder, base)
            if key in hidden or _is_hidden(hidden, key):
                continue
            names += len(key)
            if len(hidden) >= _MOST_MEMBERS or names > _MOST_NAMES:
                raise VerificationError(f"an image of more than {_MOST_MEMBERS} files")
            hidden[key] = tombstone or not entry.isdir()
            if not tombstone:
                if entry.isreg() and wanted.keep(name):
                    kept += entry.size
                    if kept > wanted.limit or len(contents) >= _MOST_KEPT:
                        raise VerificationError(f"{name}: too much to read at once")
                member, content = _taken(entry, archive, name, wanted)
                members.append(member)
                if content is not None:
                    contents[name] = content
    except _BROKEN as error:
        raise VerificationError(f"a layer is broken: {error}") from error
    return Scan(members=tuple(members), contents=contents, hidden=hidden)


def _entries(stream: "_Forward") -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    if stream.is_empty():
        return
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:") as archive:
        while (entry := stream.header(archive.next)) is not None:
            # The archive would remember them all.
            cast("Any", archive).members.clear()
            yield entry, archive
    # Python takes a header that it cannot read for the end.
    if stream.last.strip(b"\0"):
        raise VerificationError("a layer is broken: a header in its midst cannot be read")


def _taken(
    entry: tarfile.TarInfo, archive: tarfile.TarFile, name: str, wanted: Wanted
) -> tuple[Member, IO[bytes] | None]:
    keep = entry.isreg() and wanted.keep(name)
    if entry.issparse() and (keep or wanted.hashed):
        raise VerificationError(f"a layer is broken: {name} is sparse, and may have any size")
    found = hashlib.sha256()
    content = _room(entry.size) if keep else None
    if entry.isreg() and (keep or wanted.hashed):
        source = archive.extractfile(entry)
        while source is not None and (piece := source.read(_PIECE)):
            found.update(piece)
            if content is not None:
                content.write(piece)
    member = Member(
        name=name,
        kind=_kind(entry),
        mode=entry.mode,
        size=entry.size if entry.isreg() else 0,
        link=entry.linkname,
        sha256=f"sha256:{found.hexdigest()}" if wanted.hashed and entry.isreg() else "",
    )
    return member, content


def _room(size: int) -> IO[bytes]:
    return io.BytesIO() if size <= _IN_MEMORY else tempfile.TemporaryFile()


def _kind(entry: tarfile.TarInfo) -> str:
    kinds = (
        (entry.isreg(), "file"),
        (entry.isdir(), "directory"),
        (entry.issym(), "symlink"),
        (entry.islnk(), "hard link"),
    )
    return next((kind for holds, kind in kinds if holds), "special")


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


def _inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The layer's tar in pieces of bounded size, whatever it was compressed with."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= len(_ZSTD):
            break
    if first.startswith(_ZSTD):
        raise VerificationError(
            "a layer is compressed with zstd, which is not read here",
            hint="read it with crane export; images that DKP itself opens have gzip layers",
        )
    if not first.startswith(_GZIP):
        yield first
        yield from chunks
        return
    inflater = zlib.decompressobj(wbits=31)
    for chunk in _chain(first, chunks):
        rest = chunk
        while rest:
            yield inflater.decompress(rest, _PIECE)
            rest = inflater.unconsumed_tail
            if inflater.eof:
                rest = inflater.unused_data
                if rest:
                    inflater = zlib.decompressobj(wbits=31)
    if not inflater.eof:
        yield inflater.flush()
    if not inflater.eof:
        raise EOFError("it ends early")


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


class _Forward:
    """A file that is read once from front to back, as tarfile needs it; seeking back is refused."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._at = 0
        self._position = 0
        self._room = _HEADER
        self.last = b""

    def is_empty(self) -> bool:
        return not self._fill()

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        self._room -= size
        if self._room < 0:
            raise VerificationError(f"a layer is broken: a header of more than {_HEADER} bytes")
        parts = []
        wanted = size
        while wanted and self._fill():
            part = self._buffer[self._at : self._at + wanted]
            self._advance(len(part))
            wanted -= len(part)
            parts.append(part)
        self.last = b"".join(parts)
        return self.last

    def header(self, read: Callable[[], T]) -> T:
        """What `read` makes of a header; one without end is refused."""
        self._room = _HEADER
        made = read()
        self._room = MOST_BYTES
        return made

    def seek(self, position: int) -> int:
        if position < self._position:
            raise VerificationError("a layer is broken: it points back into itself")
        while self._position < position and self._fill():
            self._advance(min(position - self._position, len(self._buffer) - self._at))
        return self._position

    def _advance(self, count: int) -> None:
        self._at += count
        self._position += count
        if self._position > MOST_BYTES:
            raise VerificationError(f"a layer of more than {MOST_BYTES // 1024**3} GiB")

    def _fill(self) -> bool:
        while self._at >= len(self._buffer):
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._buffer, self._at = piece, 0
        return True
