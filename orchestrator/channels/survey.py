"""What the channels of a module hold, and which versions there are, read from its registry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator import yamldoc
from orchestrator.model import Channel, Digest, Reference, Repository, is_release, precedence
from orchestrator.registry.client import Registry
from orchestrator.registry.manifest import parse_json
from orchestrator.stages.published import CREATED
from orchestrator.verify.finding import Verification
from orchestrator.verify.unpack import unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release image; `problem` says why its version cannot be told."""

    digest: Digest
    version: str = ""
    created: str | None = None
    bridges: tuple[tuple[str, str], ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """`modules` and `releases` are the tags of `R/M` and `R/M/release`, channel names left out.

    `digests` has the release image of every version that a channel holds.
    """

    repository: Repository
    modules: frozenset[str] = frozenset()
    releases: frozenset[str] = frozenset()
    channels: Mapping[Channel, Release] = field(default_factory=dict)
    digests: Mapping[str, Digest] = field(default_factory=dict)

    @property
    def published(self) -> list[str]:
        """Release versions with both images, lowest first."""
        whole = self.modules & self.releases
        return sorted(filter(is_release, whole), key=precedence)

    @property
    def unpaired(self) -> list[str]:
        """Release versions that have one image of both, lowest first."""
        return sorted(filter(is_release, self.modules ^ self.releases), key=precedence)

    def version(self, channel: Channel) -> str:
        held = self.channels.get(channel)
        return held.version if held else ""


def survey(registry: Registry, repository: Repository) -> Survey:
    """Two lists of tags and one release image a channel."""
    releases = repository / "release"
    modules, tags = registry.map(registry.tags, (repository, releases))
    names = [channel for channel in Channel if channel in tags]
    held = registry.map(lambda name: read_release(registry, releases.tagged(name)), names)
    channels = {name: release for name, release in zip(names, held, strict=True) if release}
    versions = sorted({each.version for each in channels.values()} & set(tags))
    heads = registry.map(lambda version: registry.head(releases.tagged(version)), versions)
    return Survey(
        repository=repository,
        modules=frozenset(modules),
        releases=frozenset(tags) - frozenset(Channel),
        channels=channels,
        digests={v: head.digest for v, head in zip(versions, heads, strict=True) if head},
    )


def read_release(registry: Registry, reference: Reference) -> Release | None:
    """A release image with the version and the bridges that its files tell."""
    head = registry.head(reference)
    if head is None:
        return None
    found = Verification(reference=str(reference))
    image = unpack(registry, reference, found, 14)
    if image is None:
        return Release(digest=head.digest, problem=found.errors[0].message)
    value = parse_json(image.files.get("version.json", b"null"), f"version.json of {reference}")
    version = value.get("version") if isinstance(value, dict) else None
    if not isinstance(version, str):
        return Release(digest=image.digest, problem=f"{reference} has no version.json with one")
    annotations = image.manifest.annotations
    return Release(
        digest=image.digest,
        version=version,
        created=annotations.get(CREATED),
        bridges=_bridges(image.files.get("module.yaml", b"")),
    )


def _bridges(definition: bytes) -> tuple[tuple[str, str], ...]:
    """`update.versions` of a module.yaml as pairs (from, to); what is no such pair is left out."""
    value: Any = yamldoc.load(definition, "module.yaml", ambiguous=False).value
    for key in ("update", "versions"):
        value = value.get(key) if isinstance(value, dict) else None
    return tuple(
        (str(step["from"]), str(step["to"]))
        for step in (value if isinstance(value, list) else ())
        if isinstance(step, dict) and {"from", "to"} <= step.keys()
    )
