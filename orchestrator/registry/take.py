"""Files out of a built image: the layers are read from the top, as streams, for one path."""

import tarfile
import zlib
from collections.abc import Iterator
from typing import Final

from orchestrator.errors import RegistryError, VerificationError
from orchestrator.model import Reference
from orchestrator.registry.client import Registry
from orchestrator.registry.image import LayerFile
from orchestrator.registry.manifest import Descriptor

LIMIT: Final = 512 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


def take(registry: Registry, reference: Reference, path: str) -> list[LayerFile]:
    """The file at `path`, with an empty path, or all files below it, with theirs from there.

    Upper layers win, and what they delete is gone. Raises RegistryError where there is no such
    image, VerificationError where there is no such path, or it is no file, or is larger than 512 MiB.
    """
    manifest = registry.manifest(reference)
    if manifest is None:
        raise RegistryError(f"{reference} is not there", status=404)
    if manifest.is_index:
        raise VerificationError(
            f"{reference} is an index of several platforms", hint="build it for linux/amd64 only"
        )
    found: dict[str, LayerFile] = {}
    hidden: set[str] = set()
    for layer in reversed(manifest.layers):
        here, gone, final = _layer(registry, reference, layer, path)
        for name, file in here.items():
            if not _is_hidden(name, hidden):
                found.setdefault(name, file)
        # A file at the path itself decides; and what lies below a replaced directory is gone.
        if "" in found or final:
            break
        hidden |= gone
    if not found:
        raise VerificationError(
            f"/{path} is not in {reference}",
            hint="mend the image, or the imports in orchestrator.yaml",
        )
    return [found[name] for name in sorted(found)]


def _layer(
    registry: Registry, reference: Reference, layer: Descriptor, path: str
) -> tuple[dict[str, LayerFile], set[str], bool]:
    """Files of one layer by their place below the path; what it deletes; whether nothing below counts."""
    found: dict[str, LayerFile] = {}
    gone: set[str] = set()
    final = False
    size = 0
    stream = _Pieces(
        _plain(registry.blob(reference.repository, layer.digest, layer.size), reference)
    )
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
            for entry in archive:
                if entry.size < 0:
                    raise VerificationError(f"a layer of {reference} is broken: a negative size")
                name = entry.name.removeprefix("./").strip("/")
                folder, _, last = name.rpartition("/")
                if last == ".wh..wh..opq" and (folder == path or path.startswith(f"{folder}/")):
                    final = True
                elif last.startswith(".wh."):
                    target = f"{folder}/{last.removeprefix('.wh.')}".lstrip("/")
                    if target == path or path.startswith(f"{target}/"):
                        final = True
                    elif (below := _below(target, path)) is not None:
                        gone.add(below)
                elif (below := _below(name, path)) is not None and not entry.isdir():
                    if not entry.isreg():
                        raise VerificationError(f"/{name} of {reference} is no regular file")
                    size += entry.size
                    if size > LIMIT:
                        raise VerificationError(
                            f"/{path} of {reference} has more than {LIMIT} bytes"
                        )
                    content = archive.extractfile(entry)
                    data = content.read() if content is not None else b""
                    found[below] = LayerFile(
                        path=below, data=data, executable=bool(entry.mode & 0o100)
                    )
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise VerificationError(f"a layer of {reference} is broken: {error}") from error
    for _ in stream.rest():
        pass  # to the end, where the digest is checked
    return found, gone, final


def _below(name: str, path: str) -> str | None:
    """The place below the path, empty for the path itself."""
    if name == path:
        return ""
    return name.removeprefix(f"{path}/") if name.startswith(f"{path}/") else None


def _is_hidden(name: str, hidden: set[str]) -> bool:
    return any(name == each or name.startswith(f"{each}/") for each in hidden)


def _plain(chunks: Iterator[bytes], reference: Reference) -> Iterator[bytes]:
    """The tar of a layer, unpacked piece by piece."""
    inflater = None
    first = True
    for chunk in chunks:
        if first:
            first = False
            if chunk.startswith(_ZSTD):
                raise VerificationError(
                    f"a layer of {reference} is compressed with zstd",
                    hint="build that image with gzip layers",
                )
            if chunk.startswith(_GZIP):
                inflater = zlib.decompressobj(wbits=31)
        if inflater is None:
            yield chunk
            continue
        rest = chunk
        while rest:
            yield inflater.decompress(rest, 1024 * 1024)
            rest = inflater.unconsumed_tail


class _Pieces:
    """An iterator of bytes as a file that is read forward."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def read(self, size: int) -> bytes:
        parts = [self._left]
        have = len(self._left)
        while have < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            parts.append(chunk)
            have += len(chunk)
        data = b"".join(parts)
        self._left = data[size:]
        return data[:size]

    def rest(self) -> Iterator[bytes]:
        return self._chunks
