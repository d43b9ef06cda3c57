"""Reading layers that anyone may have made: a stream in, entries out, bounded in memory and time.

Python's tarfile believes sizes that are negative, and holds headers of any length and sparse files
in memory; so only its reading of one header is used.
"""

import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Final

from orchestrator.errors import VerificationError
from orchestrator.model import Repository
from orchestrator.registry.client import Registry
from orchestrator.registry.manifest import Descriptor

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_BLOCK: Final = tarfile.BLOCKSIZE
_PIECE: Final = 256 * 1024
_HEADER_LIMIT: Final = 1024 * 1024
_NAME_LIMIT: Final = 4096
# What is read of a file is parsed, and that takes many times its size.
_FILE_LIMIT: Final = 4 * 1024 * 1024
_ENTRY_COST: Final = 512
_MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a layer as it stands there; `kind` is the type byte of tar."""

    name: str
    kind: bytes
    mode: int
    data: bytes = field(default=b"", repr=False)

    @property
    def is_file(self) -> bool:
        return self.kind in {tarfile.REGTYPE, tarfile.AREGTYPE}

    @property
    def is_directory(self) -> bool:
        return self.kind == tarfile.DIRTYPE


@dataclass(slots=True, kw_only=True)
class Budget:
    """Bytes that the layers of an image may still take: sent, unpacked, and held in memory."""

    sent: int = 512 * _MEBIBYTE
    unpacked: int = 1024 * _MEBIBYTE
    held: int = 64 * _MEBIBYTE

    def send(self, size: int) -> None:
        self.sent -= size
        self._check(self.sent, "it is too large to be read")

    def unpack(self, size: int) -> None:
        self.unpacked -= size
        self._check(self.unpacked, "it unpacks to too much")

    def hold(self, size: int) -> None:
        self.held -= size
        self._check(self.held, "it has too many files, or too large ones")

    def _check(self, left: int, why: str) -> None:
        if left < 0:
            raise VerificationError(f"a layer is refused: {why}")


def everything(_name: str) -> bool:
    return True


def read_layers(
    registry: Registry,
    repository: Repository,
    layers: Sequence[Descriptor],
    *,
    wanted: Callable[[str], bool] = everything,
) -> list[list[Entry]]:
    """The entries of each layer, with the content of the files that are wanted.

    All layers together have one budget. Raises VerificationError for a broken one.
    """
    left = Budget()
    found = []
    for layer in layers:
        left.send(layer.size)

        several, left = registry.read(
            repository, layer.digest, layer.size, partial(_read, layer, wanted, left)
        )
        found.append(several)
    return found


def _read(
    layer: Descriptor, wanted: Callable[[str], bool], left: Budget, chunks: Iterable[bytes]
) -> tuple[list[Entry], Budget]:
    # A transfer that breaks off is begun again, and so is its share of the budget.
    budget = replace(left)
    return list(entries(whole(chunks, layer), wanted=wanted, budget=budget)), budget


def whole(chunks: Iterable[bytes], blob: Descriptor) -> Iterator[bytes]:
    """The same bytes; raises VerificationError at the end where they are not as many as described."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        yield chunk
    if size != blob.size:
        raise VerificationError(
            f"the blob {blob.digest} has {size} bytes, its manifest says {blob.size}"
        )


def entries(
    chunks: Iterable[bytes],
    *,
    wanted: Callable[[str], bool] = everything,
    budget: Budget | None = None,
) -> Iterator[Entry]:
    """All entries of a layer in order, gzipped or not; raises VerificationError for a broken one."""
    budget = budget or Budget()
    for header, content in walk(chunks, budget, errors="replace"):
        keep = header.is_file and wanted(header.name)
        if keep and header.size > _FILE_LIMIT:
            raise VerificationError(
                f"a layer is broken: it holds a file of {header.size} bytes, more than any tool reads"
            )
        if keep:
            budget.hold(header.size)
        yield Entry(
            name=header.name,
            kind=header.kind,
            mode=header.mode,
            data=b"".join(content) if keep else b"",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands before an entry; `size` is that of its content, `link` the target of a link."""

    name: str
    kind: bytes
    mode: int
    size: int
    link: str = ""

    @property
    def is_file(self) -> bool:
        return self.kind in {tarfile.REGTYPE, tarfile.AREGTYPE}


def walk(
    chunks: Iterable[bytes], budget: Budget, *, errors: str = "surrogateescape"
) -> Iterator[tuple[Header, Iterator[bytes]]]:
    """Each entry with its content in pieces, to be read before the next one, or not at all.

    `errors` says what becomes of names that are no UTF-8. Raises VerificationError for a broken layer.
    """
    stream = _Stream(_unpacked(chunks, budget))
    headers = _headers(stream, budget, errors)
    while True:
        with _told():
            header = next(headers, None)
            if header is None:
                stream.drain()
                return
        content = _Content(stream, header.size)
        yield header, content
        with _told():
            content.skip()


@contextmanager
def _told() -> Iterator[None]:
    """Whatever is wrong with a layer is told as one kind of error."""
    try:
        yield
    except (zlib.error, tarfile.TarError, ValueError) as error:
        raise VerificationError(f"a layer is broken: {error}") from error


def _headers(stream: "_Stream", budget: Budget, errors: str) -> Iterator[Header]:
    pax: dict[str, str] = {}
    long_name = long_link = ""
    while any(block := stream.take(_BLOCK, last=True)):
        header = tarfile.TarInfo.frombuf(block, "utf-8", errors)
        if header.type in {tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}:
            data = _extension(stream, header, budget)
            text = data.partition(b"\0")[0].decode(errors=errors)
            if header.type == tarfile.XHDTYPE:
                pax = _pax(data, errors)
            elif header.type == tarfile.GNUTYPE_LONGNAME:
                long_name = text
            else:
                long_link = text
            continue
        size = int(pax.get("size", header.size))
        name = pax.get("path") or long_name or header.name
        name = name.rstrip("/") if header.isdir() else name
        if len(name) > _NAME_LIMIT:
            raise ValueError(f"it holds a name of {len(name)} characters")
        sparse = any(key.startswith("GNU.sparse.") for key in pax)
        if sparse or header.type == tarfile.GNUTYPE_SPARSE:
            raise ValueError(f"{name[:200]!r} is a sparse file")
        if size < 0:
            raise ValueError("it holds a file of negative size")
        if not header.isreg() and header.type in tarfile.SUPPORTED_TYPES:
            # Directories, links and devices have no content, whatever their size says.
            size = size if header.type == tarfile.XGLTYPE else 0
        budget.hold(_ENTRY_COST)
        yield Header(
            name=name,
            kind=header.type,
            mode=header.mode,
            size=size,
            link=pax.get("linkpath") or long_link or header.linkname,
        )
        pax, long_name, long_link = {}, "", ""


class _Content:
    """The content of one entry in pieces; what is not read is passed over, with the padding."""

    def __init__(self, stream: "_Stream", size: int) -> None:
        self._stream = stream
        self._left = size
        self._padding = -size % _BLOCK

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        with _told():
            piece = self._stream.take(min(self._left, _PIECE))
        self._left -= len(piece)
        return piece

    def skip(self) -> None:
        self._stream.skip(self._left + self._padding)
        self._left = 0


def _extension(stream: "_Stream", header: tarfile.TarInfo, budget: Budget) -> bytes:
    """What stands before an entry to extend its header: a pax header, or a long name."""
    if not 0 <= header.size <= _HEADER_LIMIT:
        raise ValueError(f"it holds a header of {header.size} bytes")
    budget.hold(header.size)
    data = stream.take(header.size)
    stream.skip(-header.size % _BLOCK)
    return data


def _pax(data: bytes, errors: str) -> dict[str, str]:
    """Records of a pax header: `LENGTH KEY=VALUE\\n` (POSIX.1-2001, pax, extended header)."""
    records = {}
    at = 0
    while at < len(data) and data[at]:
        length = data[at : at + 20].partition(b" ")[0]
        end = at + (int(length) if length.isdigit() else 0)
        key, equals, value = data[at + len(length) + 1 : max(end - 1, at)].partition(b"=")
        if not equals or data[end - 1 : end] != b"\n":
            raise ValueError("it holds a broken pax header")
        records[key.decode(errors=errors)] = value.decode(errors=errors)
        at = end
    return records


class _Stream:
    """Bytes to be taken in order from pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._at = 0

    def take(self, size: int, *, last: bool = False) -> bytes:
        """So many bytes, or none at the end where it may be the `last`."""
        found = bytearray()
        while len(found) < size and self._fill():
            upto = self._at + size - len(found)
            found += self._piece[self._at : upto]
            self._at = min(upto, len(self._piece))
        if len(found) < size and not (last and not found):
            raise ValueError("it ends early")
        return bytes(found)

    def skip(self, size: int) -> None:
        while size > 0:
            if not self._fill():
                raise ValueError("it ends early")
            passed = min(size, len(self._piece) - self._at)
            self._at += passed
            size -= passed

    def drain(self) -> None:
        """To the end: only there it is known whether all bytes were the right ones."""
        for _ in self._pieces:
            pass

    def _fill(self) -> bool:
        while self._at == len(self._piece):
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._piece, self._at = piece, 0
        return True


def _unpacked(chunks: Iterable[bytes], budget: Budget) -> Iterator[bytes]:
    """The tar in small pieces, out of any number of gzip streams one after another, or as it is."""
    source = iter(chunks)
    start = b""
    while len(start) < len(_ZSTD) and (chunk := next(source, None)) is not None:
        start += chunk
    if start.startswith(_ZSTD):
        raise VerificationError("a layer is compressed with zstd, which is not read here")
    inflater = zlib.decompressobj(wbits=31) if start.startswith(_GZIP) else None
    for chunk in chain((start,), source):
        if inflater is None:
            budget.unpack(len(chunk))
            yield chunk
            continue
        rest = chunk
        while rest:
            if inflater.eof:
                budget.unpack(_ENTRY_COST)
                inflater = zlib.decompressobj(wbits=31)
            piece = inflater.decompress(rest, _PIECE)
            budget.unpack(len(piece))
            yield piece
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    if inflater is not None and not inflater.eof:
        raise ValueError("its gzip stream ends early")
