"""A new image on a built one: the same layers, and labels that say what it was published as.

The labels are those of werf 1.0, whose clean-up read them, and one for the git reference.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.errors import RegistryError
from orchestrator.fsio import canonical_json, sha256
from orchestrator.model import Digest
from orchestrator.publishing.plan import Name
from orchestrator.publishing.tags import Strategy
from orchestrator.registry.image import CONFIG_TYPE
from orchestrator.registry.manifest import (
    DOCKER_MANIFEST,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    parse_json,
)

PROJECT: Final = "werf"
IMAGE: Final = "werf-image"
NAME: Final = "werf-image-name"
TAG: Final = "werf-image-tag"
STRATEGY: Final = "werf-tag-strategy"
GIT_REFERENCE: Final = "io.deckhouse.orchestrator.git-reference"

_CONFIG_TYPES: Final = frozenset({CONFIG_TYPE, "application/vnd.docker.container.image.v1+json"})
# BuildKit's attestations lie in an index beside the images; they speak of the built image only.
_ATTESTATION: Final = "vnd.docker.reference.type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image as the builder left it: its manifest with its config, or an index with its images."""

    manifest: Manifest
    config: bytes = field(default=b"", repr=False)
    children: "Mapping[Digest, Built]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A manifest to be stored, with what it names that is new; `layers` are those of the built one."""

    media_type: str
    manifest: bytes = field(repr=False)
    config: Descriptor | None = None
    config_data: bytes = field(default=b"", repr=False)
    layers: tuple[Descriptor, ...] = ()
    children: "tuple[Content, ...]" = ()

    @property
    def digest(self) -> Digest:
        return Digest(sha256(self.manifest))


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What is set, and what is set only where the built image does not say it."""

    own: Mapping[str, str]
    default: Mapping[str, str] = field(default_factory=dict)

    def onto(self, there: Mapping[str, str]) -> dict[str, str]:
        kept = {key: value for key, value in there.items() if key != GIT_REFERENCE}
        return {**self.default, **kept, **self.own}


def labels(name: Name, *, project: str | None, fallback: str) -> Labels:
    """Of one name; without `project`, the builder's own label holds, else `fallback`."""
    own = {
        IMAGE: "true",
        NAME: name.image,
        TAG: name.tag.tag,
        STRATEGY: str(name.tag.strategy),
    }
    if project is not None:
        own[PROJECT] = project
    if name.tag.strategy is not Strategy.CUSTOM:
        own[GIT_REFERENCE] = name.tag.value
    return Labels(own=own, default={PROJECT: fallback})


def images(manifest: Manifest) -> tuple[Descriptor, ...]:
    """The images of an index, without attestations."""
    return tuple(Descriptor.from_json(entry) for entry in _entries(manifest))


def labelled(built: Built, wanted: Labels, what: str) -> Content:
    """The new image; equal for equal arguments. Raises RegistryError where `what` is no image."""
    if built.manifest.is_index:
        return _index(built, wanted, what)
    if built.manifest.media_type not in {OCI_MANIFEST, DOCKER_MANIFEST}:
        raise _no_image(what, built.manifest.media_type)
    described = built.manifest.config
    if described.media_type not in _CONFIG_TYPES:
        raise _no_image(what, described.media_type)
    config = _relabel(built.config, wanted, what)
    described = Descriptor(
        media_type=described.media_type, digest=Digest(sha256(config)), size=len(config)
    )
    return Content(
        media_type=built.manifest.media_type,
        manifest=_bytes({**built.manifest.json, "config": described.to_json()}, what),
        config=described,
        config_data=config,
        layers=built.manifest.layers,
    )


def _index(built: Built, wanted: Labels, what: str) -> Content:
    entries = _entries(built.manifest)
    made = []
    for entry in entries:
        child = built.children[Descriptor.from_json(entry).digest]
        if child.manifest.is_index:
            raise _no_image(what, "an index within an index")
        made.append(labelled(child, wanted, what))
    if not made:
        raise _no_image(what, "an index without images")
    manifests = [
        {
            **{key: value for key, value in entry.items() if key != "data"},
            "digest": content.digest,
            "size": len(content.manifest),
        }
        for entry, content in zip(entries, made, strict=True)
    ]
    return Content(
        media_type=built.manifest.media_type,
        manifest=_bytes({**built.manifest.json, "manifests": manifests}, what),
        children=tuple(made),
    )


def _entries(manifest: Manifest) -> list[Mapping[str, Any]]:
    found = manifest.json.get("manifests")
    return [entry for entry in (found if isinstance(found, list) else ()) if not _attests(entry)]


def _attests(entry: Any) -> bool:
    annotations = entry.get("annotations") if isinstance(entry, dict) else None
    return isinstance(annotations, dict) and _ATTESTATION in annotations


def _relabel(config: bytes, wanted: Labels, what: str) -> bytes:
    value = parse_json(config, f"the config of {what}")
    inner = value.get("config") or {} if isinstance(value, dict) else None
    there = inner.get("Labels") or {} if isinstance(inner, dict) else None
    if not isinstance(there, dict) or not isinstance(inner, dict):
        raise _no_image(what, "a config of another shape")
    return _bytes({**value, "config": {**inner, "Labels": wanted.onto(there)}}, what)


def _bytes(value: Mapping[str, Any], what: str) -> bytes:
    try:
        return canonical_json(value)
    except UnicodeEncodeError as error:
        raise _no_image(what, "text that is not Unicode") from error


def _no_image(what: str, found: str) -> RegistryError:
    return RegistryError(
        f"{what} is not a container image that can be labelled: it is or holds {found}",
        hint="name the images to publish, without this one",
    )
