"""Manifests and descriptors as values (OCI image specification; Docker schema 2)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from orchestrator.errors import ConfigError, RegistryError
from orchestrator.model import Digest

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEX_TYPES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFEST_TYPES: Final = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a manifest says of a blob or another manifest; `size` in bytes."""

    media_type: str
    digest: Digest
    size: int

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Raises RegistryError where it is no descriptor."""
        try:
            made = cls(
                media_type=str(value["mediaType"]),
                digest=Digest.parse(value["digest"]),
                size=int(value["size"]),
            )
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise RegistryError(f"a manifest holds a broken descriptor: {error}") from error
        if made.size < 0:
            raise RegistryError("a manifest holds a blob of negative size")
        return made

    def to_json(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The bytes of a manifest, whose hash is `digest`."""

    media_type: str
    digest: Digest
    data: bytes
    json: Mapping[str, Any] = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEX_TYPES

    @property
    def annotations(self) -> Mapping[str, str]:
        found = self.json.get("annotations")
        return found if isinstance(found, dict) else {}

    @property
    def config(self) -> Descriptor:
        return Descriptor.from_json(self.json.get("config"))

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        return self._descriptors("layers")

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """The manifests of an index."""
        return self._descriptors("manifests")

    def _descriptors(self, key: str) -> tuple[Descriptor, ...]:
        found = self.json.get(key)
        return tuple(map(Descriptor.from_json, found if isinstance(found, list) else ()))


def parse_json(data: bytes, what: str) -> Any:
    """Raises RegistryError where the answer is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"{what}: the answer is not JSON") from error
