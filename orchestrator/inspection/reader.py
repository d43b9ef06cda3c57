"""Images read from a registry: by name from the registry itself, by digest from the cache where it can."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Final

from orchestrator.errors import RegistryError, VerificationError
from orchestrator.inspection import layers
from orchestrator.inspection.cache import ITEM_LIMIT, Cache
from orchestrator.inspection.layers import Member, Scan, Wanted
from orchestrator.model import Channel, Digest, Reference, Repository
from orchestrator.registry.client import Registry
from orchestrator.registry.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest, parse_json

TEXT_LIMIT: Final = 32 * 1024 * 1024
_MOST_LAYERS: Final = 256


@dataclass(frozen=True, slots=True)
class Reader:
    """Both together."""

    registry: Registry
    cache: Cache

    def manifest(self, reference: Reference) -> Manifest:
        """What a reference names, for linux/amd64; raises RegistryError with names like it."""
        manifest = self.find(reference)
        if manifest is None:
            raise self.missing(reference)
        return manifest

    def find(self, reference: Reference) -> Manifest | None:
        """The same, None where there is nothing."""
        manifest = self.registry.manifest(reference)
        if manifest is None or not manifest.is_index:
            return manifest
        children = manifest.json.get("manifests")
        for child in children if isinstance(children, list) else ():
            platform = child.get("platform") if isinstance(child, dict) else None
            if isinstance(platform, dict) and (
                platform.get("os"),
                platform.get("architecture"),
            ) == ("linux", "amd64"):
                found = self.by_digest(reference.repository, Descriptor.from_json(child).digest)
                if found is None or found.is_index:
                    raise VerificationError(f"{reference}: its image for linux/amd64 is not there")
                return found
        raise VerificationError(f"{reference} is an index without an image for linux/amd64")

    def by_digest(self, repository: Repository, digest: Digest) -> Manifest | None:
        """A manifest that another one names."""
        reference = repository.at(digest)
        data = self.cache.get(digest)
        if data is None:
            manifest = self.registry.manifest(reference)
            if manifest is not None:
                self.cache.put(digest, manifest.data)
            return manifest
        value = parse_json(data, str(reference))
        if not isinstance(value, dict):
            raise RegistryError(f"{reference}: the manifest is not a JSON object")
        told = str(value.get("mediaType") or "")
        kind = told or (OCI_INDEX if "manifests" in value else OCI_MANIFEST)
        return Manifest(media_type=kind, digest=digest, data=data, json=value)

    def missing(self, reference: Reference) -> RegistryError:
        """The error for a reference that is not there, from what is."""
        repository = reference.repository
        tags = self.registry.tags(repository)
        if not tags:
            return self.empty(repository)
        tag = reference.tag or ""
        hint = f"see what is there: orchestrator ls images {repository}"
        if tag in set(Channel) and repository.last != "release":
            hint = f"{tag} is a channel: it lies in {repository}/release:{tag}"
        elif repository.last == "release":
            hint = f"see what is there: orchestrator ls releases {repository.parent}"
        message = f"{reference} is not there{_suggestion(tag, tags)}"
        return RegistryError(message, status=404, hint=hint)

    def empty(self, repository: Repository) -> RegistryError:
        """The error for a repository without tags, with a module of its source that is meant."""
        module = repository.parent if repository.last == "release" else repository
        source = module.parent if module else None
        message = f"{repository} is not there, or holds nothing"
        hint = "check the name: R/M is the module M in the module source R"
        if module is not None and source is not None:
            try:
                listed = self.registry.tags(source)
            except RegistryError as error:
                if error.exit_code != 1:
                    raise
                listed = []
            if module.last in listed and module != repository:
                message += f": {module.last} has no releases"
                hint = "publish one: orchestrator build --tag vX.Y.Z"
            elif listed:
                message += _suggestion(module.last, listed)
                hint = f"see what is there: orchestrator ls modules {source}"
        return RegistryError(message, status=404, hint=hint)

    def scan(self, image: Manifest, repository: Repository, wanted: Wanted) -> Scan:
        """All files of an image in the order in which `crane export` gives them."""
        blobs = image.layers
        if len(blobs) > _MOST_LAYERS:
            raise VerificationError(f"{repository}@{image.digest} has {len(blobs)} layers")
        found = Scan()
        for blob in reversed(blobs):
            found = self._scan_layer(found, repository, blob, wanted)
        return found

    def _scan_layer(
        self, above: Scan, repository: Repository, blob: Descriptor, wanted: Wanted
    ) -> Scan:
        def read(chunks: Iterator[bytes]) -> Scan:
            return layers.scan(above, chunks, wanted)

        if blob.size > ITEM_LIMIT:
            return self.registry.read(repository, blob.digest, blob.size, read)
        data = self.cache.get(blob.digest)
        if data is None:
            data = self.registry.read_blob(repository, blob.digest, blob.size)
            self.cache.put(blob.digest, data)
        return read(iter((data,)))

    def members(self, reference: Reference) -> tuple[Member, ...]:
        """Every file of an image."""
        return self.scan(self.manifest(reference), reference.repository, Wanted()).members

    def open(self, reference: Reference, path: str) -> IO[bytes]:
        """One file of an image, at its start; raises VerificationError with names like it."""
        image = self.manifest(reference)
        name = path.removeprefix("./").lstrip("/")
        wanted = Wanted(keep=lambda each: each.lstrip("/") == name)
        found = self.scan(image, reference.repository, wanted)
        content = next(iter(found.contents.values()), None)
        if content is not None:
            content.seek(0)
            return content
        names = {member.name.lstrip("/"): member for member in found.members}
        if (there := names.get(name)) is not None:
            leads = f" to {there.link}" if there.link else ""
            raise VerificationError(
                f"{reference}: {name} is no file but a {there.kind}{leads}",
                hint=f"see what is there: orchestrator ls files {reference}",
            )
        raise VerificationError(
            f"{reference} has no file {name}{_suggestion(name, names)}",
            hint=f"see what is there: orchestrator ls files {reference}",
        )

    def text(self, image: Manifest, repository: Repository, path: str) -> bytes | None:
        """A small file of an image, None where it has none."""
        wanted = Wanted(keep=lambda name: name.lstrip("/") == path, limit=TEXT_LIMIT)
        return next(iter(texts(self.scan(image, repository, wanted)).values()), None)


def _suggestion(wrong: str, known: Iterable[str]) -> str:
    # Its module reads YAML, which lists have no use for.
    from orchestrator.schema import suggestion

    return suggestion(wrong, known)


def texts(found: Scan) -> dict[str, bytes]:
    """What was kept, by name."""
    made = {}
    for name, content in found.contents.items():
        with content:
            content.seek(0)
            made[name] = content.read()
    return made
