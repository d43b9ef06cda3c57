"""An image read back: its manifest, its layers' entries, and its files as DKP flattens them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.errors import RegistryError, VerificationError
from orchestrator.model import Digest, Reference
from orchestrator.registry.client import Registry
from orchestrator.registry.image import Entry, entries
from orchestrator.registry.manifest import Descriptor, Manifest, parse_json
from orchestrator.verify.finding import Verification

LIMIT: Final = 512 * 1024 * 1024
_CONFIG_LIMIT: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """`layers` are in the order of the manifest; in `files` the upper layers have won."""

    reference: Reference
    manifest: Manifest
    platform: str
    layers: Sequence[Sequence[Entry]]
    files: Mapping[str, bytes] = field(repr=False)

    @property
    def digest(self) -> Digest:
        return self.manifest.digest


def unpack(
    registry: Registry, reference: Reference, found: Verification, rule: int
) -> Unpacked | None:
    """The image, or None with the reason among the findings."""
    manifest = registry.manifest(reference)
    if manifest is None:
        found.error(rule, f"{reference} is not there", "publish it: orchestrator build")
        return None
    if manifest.is_index:
        found.error(
            rule,
            f"{reference} is an index of several platforms",
            "publish a single linux/amd64 image: every reader takes only that one",
        )
        return None
    blobs = [manifest.config, *manifest.layers]
    found.blobs += len(blobs)
    try:
        data = registry.map(lambda blob: _blob(registry, reference, blob), blobs)
        config = parse_json(data[0], f"the config of {reference}")
        layers = [entries(layer) for layer in data[1:]]
    except (VerificationError, RegistryError) as error:
        if error.exit_code == 75:
            raise
        found.error(rule, f"{reference}: {error.message}", "publish it again")
        return None
    described = config if isinstance(config, dict) else {}
    return Unpacked(
        reference=reference,
        manifest=manifest,
        platform=f"{described.get('os')}/{described.get('architecture')}",
        layers=layers,
        files=_flatten(layers),
    )


def _blob(registry: Registry, reference: Reference, blob: Descriptor) -> bytes:
    data = registry.read_blob(reference.repository, blob.digest, LIMIT)
    if len(data) != blob.size:
        raise VerificationError(
            f"the blob {blob.digest} has {len(data)} bytes, its manifest says {blob.size}"
        )
    return data


def _flatten(layers: Sequence[Sequence[Entry]]) -> dict[str, bytes]:
    """Files by name as `mutate.Extract` of go-containerregistry gives them: whiteouts applied."""
    files: dict[str, bytes] = {}
    for layer in layers:
        for entry in layer:
            name = entry.name.removeprefix("./")
            folder, _, last = name.rpartition("/")
            if last.startswith(".wh."):
                gone = f"{folder}/{last.removeprefix('.wh.')}".lstrip("/")
                for path in [p for p in files if p == gone or p.startswith(f"{gone}/")]:
                    del files[path]
            elif entry.is_file:
                files[name] = entry.data
    return files
