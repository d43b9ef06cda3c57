"""An image read back: its manifest, its layers' entries, and its files as DKP flattens them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.errors import RegistryError, VerificationError
from orchestrator.model import Digest, Reference
from orchestrator.registry.client import Registry
from orchestrator.registry.layer import Entry, read_layers, whole
from orchestrator.registry.manifest import Manifest, parse_json
from orchestrator.verify.finding import Verification

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
    registry: Registry,
    reference: Reference,
    found: Verification,
    rule: int,
    *,
    fix: str = "publish it: orchestrator build",
) -> Unpacked | None:
    """The image, or None with the reason among the findings; `fix` is what to do if it is not there."""
    manifest = registry.manifest(reference)
    if manifest is None:
        found.error(rule, f"{reference} is not there", fix)
        return None
    if manifest.is_index:
        found.error(
            rule,
            f"{reference} is an index of several platforms",
            "publish a single linux/amd64 image: every reader takes only that one",
        )
        return None
    found.blobs += 1 + len(manifest.layers)
    try:
        described = manifest.config
        data = registry.read(
            reference.repository,
            described.digest,
            _CONFIG_LIMIT,
            lambda chunks: b"".join(whole(chunks, described)),
        )
        config = parse_json(data, f"the config of {reference}")
        layers = read_layers(registry, reference.repository, manifest.layers, wanted=_is_read)
    except (VerificationError, RegistryError) as error:
        if error.exit_code == 75:
            raise
        found.error(rule, f"{reference}: {error.message}", "publish it again")
        return None
    config = config if isinstance(config, dict) else {}
    return Unpacked(
        reference=reference,
        manifest=manifest,
        platform=f"{config.get('os')}/{config.get('architecture')}",
        layers=layers,
        files=_flatten(layers),
    )


def _is_read(name: str) -> bool:
    """Whether a rule looks into this file; of others the names are enough."""
    path = name.removeprefix("./")
    at_root = "/" not in path and path.endswith((".yaml", ".json"))
    script = path.startswith("hooks/") and path.endswith((".sh", ".py"))
    return at_root or script or path.startswith(("openapi/", "templates/"))


def _flatten(layers: Sequence[Sequence[Entry]]) -> dict[str, bytes]:
    """Files by name as `mutate.Extract` of go-containerregistry gives them: whiteouts applied."""
    files: dict[str, bytes] = {}
    for layer in layers:
        gone = {path for entry in layer if (path := _whiteout(entry.name))}
        if gone:
            files = {path: data for path, data in files.items() if gone.isdisjoint(_within(path))}
        for entry in layer:
            if entry.is_file and not _whiteout(entry.name):
                files[entry.name.removeprefix("./")] = entry.data
    return files


def _whiteout(name: str) -> str:
    """The path that an entry takes away from the layers below; empty where it is no such entry."""
    folder, _, last = name.removeprefix("./").rpartition("/")
    return f"{folder}/{last.removeprefix('.wh.')}".lstrip("/") if last.startswith(".wh.") else ""


def _within(path: str) -> Iterator[str]:
    """A path and all directories above it."""
    while path:
        yield path
        path = path.rpartition("/")[0]
