"""What a tag in a module's repository is, by its form, and the order in which tags are shown."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from orchestrator.model import Channel, is_release, precedence

_CONTENT: Final = re.compile(r"[0-9a-f]{56}(-\d{13})?")
# What werf keeps in a repository beside images (werf: pkg/storage/repo_stages_storage.go).
_SERVICE: Final = re.compile(
    r"managed-image-.*|meta-[^_]+_.*_.*|custom-tag-meta-.*|import-metadata-.*|client-id-.*"
    r"|sync-server|cleanup|[0-9a-f]{56}(-\d{13})?-rejected"
)
_ATTESTATION: Final = re.compile(r"sha256-[0-9a-f]{64}(\.(att|sig|sbom))?|.+\.att")
_CHANNELS: Final = list(Channel)


class Kind(StrEnum):
    """In the order of a listing."""

    VERSION = "version"
    CHANNEL = "channel"
    DEVELOPMENT = "development"
    CONTENT = "content"
    ATTESTATION = "attestation"
    SERVICE = "service"


_ORDER: Final = {kind: number for number, kind in enumerate(Kind)}


def kind(tag: str, *, of_releases: bool = False) -> Kind:
    """Channels are such only in the repository of releases."""
    if is_release(tag):
        return Kind.VERSION
    if of_releases and tag in set(Channel):
        return Kind.CHANNEL
    for pattern, found in (
        (_CONTENT, Kind.CONTENT),
        (_SERVICE, Kind.SERVICE),
        (_ATTESTATION, Kind.ATTESTATION),
    ):
        if pattern.fullmatch(tag):
            return found
    return Kind.DEVELOPMENT


def ordered(names: Iterable[str], *, of_releases: bool = False) -> list[str]:
    """Versions by precedence, channels as versions reach them, then the others by name."""

    def key(tag: str) -> tuple[object, ...]:
        found = kind(tag, of_releases=of_releases)
        place = _ORDER[found]
        if found is Kind.VERSION:
            return place, precedence(tag)
        if found is Kind.CHANNEL:
            return place, _CHANNELS.index(Channel(tag))
        return place, tag

    return sorted(names, key=key)
