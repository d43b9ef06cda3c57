"""What a module image holds, or what a build of a work tree would put into one."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from orchestrator.artifacts import DIGESTS_FILE
from orchestrator.errors import VerificationError
from orchestrator.fsio import sha256
from orchestrator.inspection import listing
from orchestrator.inspection.layers import Wanted
from orchestrator.inspection.reader import TEXT_LIMIT, Reader, texts
from orchestrator.model import Channel, Digest, Reference, Repository, is_release
from orchestrator.module import Module

_COMPARED: Final = ("openapi/", "crds/")
_LARGEST: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    size: int
    executable: bool
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """`images` are digests by key, None where only a build would tell; `texts` is YAML to compare."""

    label: str
    files: Mapping[str, File]
    texts: Mapping[str, bytes] = field(default_factory=dict)
    images: Mapping[str, str | None] = field(default_factory=dict)
    image_sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files.values())


class Tree(Protocol):
    """Files of a module by path; git.Tree is one."""

    def paths(self) -> Iterable[str]: ...
    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]: ...
    def executable(self, path: str) -> bool: ...


def is_compared(path: str) -> bool:
    """Whether a file is compared by what it means and not only by its bytes."""
    return path == "module.yaml" or (
        path.startswith(_COMPARED) and path.endswith((".yaml", ".yml"))
    )


def published(reader: Reader, reference: Reference) -> Content:
    """A version, a development tag or the version that a channel holds."""
    repository, label = reference.repository, reference.tag or reference.target
    if reference.tag in set(Channel) and reference.digest is None:
        _, said = listing.release(reader, repository / "release", label)
        if not is_release(said.version):
            raise VerificationError(
                f"{repository}/release:{label} names no version",
                hint=f"see its rules: orchestrator verify {reference}",
            )
        label = f"{label} ({said.version})"
        reference = repository.tagged(said.version)
    manifest = reader.manifest(reference)
    wanted = Wanted(
        keep=lambda path: path == DIGESTS_FILE or is_compared(path), limit=TEXT_LIMIT, hashed=True
    )
    found = reader.scan(manifest, repository, wanted)
    data = texts(found)
    digests = listing.digests(data.pop(DIGESTS_FILE, None))
    return Content(
        label=label,
        files={
            member.name: File(
                size=member.size, executable=bool(member.mode & 0o100), sha256=member.sha256
            )
            for member in found.members
            if member.is_file and member.name != DIGESTS_FILE
        },
        texts=_readable(data),
        images=digests,
        image_sizes=_sizes(reader, repository, digests),
    )


def _readable(data: Mapping[str, bytes]) -> dict[str, bytes]:
    """A file too large to be a schema is compared by its bytes only."""
    return {path: text for path, text in data.items() if len(text) <= _LARGEST}


def _sizes(reader: Reader, repository: Repository, digests: Mapping[str, str]) -> dict[str, int]:
    """Bytes of each image as the registry holds it; without those that are not there."""
    keys = sorted(digests)
    found = reader.registry.map(
        lambda key: reader.by_digest(repository, Digest.parse(digests[key])), keys
    )
    return {
        key: sum(layer.size for layer in manifest.layers)
        for key, manifest in zip(keys, found, strict=True)
        if manifest is not None and not manifest.is_index
    }


def work_tree(
    tree: Tree, module: Module, files: Mapping[str, str], digests: bytes | None
) -> Content:
    """What a build would put in: `files` (name in the image -> path in the tree), and images by name

    only where there is no images_digests.json of this tree.
    """
    contents = tree.read_all(sorted(set(files.values())))
    data = {name: contents[path] for name, path in files.items()}
    images: dict[str, str | None] = {image.key: None for image in module.images if image.key}
    if digests is not None:
        images = dict(json.loads(digests))
    return Content(
        label="work tree",
        files={
            path: File(size=len(text), executable=tree.executable(files[path]), sha256=sha256(text))
            for path, text in data.items()
        },
        texts=_readable({path: text for path, text in data.items() if is_compared(path)}),
        images=images,
    )
