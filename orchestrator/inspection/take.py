"""Files out of a built image: its layers are read from the top, as streams, for one path."""

from collections.abc import Iterator
from typing import Final

from orchestrator.errors import RegistryError, VerificationError
from orchestrator.inspection.layers import Scan, Wanted, scan
from orchestrator.model import Reference
from orchestrator.registry.client import Registry
from orchestrator.registry.image import LayerFile

LIMIT: Final = 512 * 1024 * 1024


def take(registry: Registry, reference: Reference, path: str) -> list[LayerFile]:
    """The file at `path`, with an empty path, or all files below it, with theirs from there.

    Raises RegistryError where there is no such image, VerificationError where there is no such path,
    or what is there is no regular file, or more than 512 MiB.
    """
    manifest = registry.manifest(reference)
    if manifest is None:
        raise RegistryError(f"{reference} is not there", status=404)
    if manifest.is_index:
        raise VerificationError(
            f"{reference} is an index of several platforms", hint="build it for linux/amd64 only"
        )
    wanted = Wanted(keep=lambda name: _below(name, path) is not None, limit=LIMIT)
    found = Scan()
    for layer in reversed(manifest.layers):

        def read(chunks: Iterator[bytes], above: Scan = found) -> Scan:
            return scan(above, chunks, wanted)

        found = registry.read(reference.repository, layer.digest, layer.size, read)
        if any(_below(name, path) == "" for name in found.contents):
            break
    files = []
    for member in found.members:
        place = _below(member.name, path)
        if place is None or member.kind == "directory":
            continue
        if not member.is_file:
            raise VerificationError(f"/{path} of {reference} holds a {member.kind}: {member.name}")
        content = found.contents[member.name]
        content.seek(0)
        executable = bool(member.mode & 0o100)
        files.append(LayerFile(path=place, data=content.read(), executable=executable))
    if not files:
        raise VerificationError(
            f"/{path} is not in {reference}",
            hint="mend the image, or the imports in orchestrator.yaml",
        )
    return sorted(files)


def _below(name: str, path: str) -> str | None:
    """The place below the path, empty for the path itself."""
    name = name.lstrip("/")
    if name == path:
        return ""
    return name.removeprefix(f"{path}/") if name.startswith(f"{path}/") else None
