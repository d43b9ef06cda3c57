"""What lies around a version: channels that hold others, and readers without credentials."""

import json
from collections.abc import Callable
from typing import Final

from orchestrator.artifacts import DIGESTS_FILE
from orchestrator.errors import ConfigError, OrchestratorError, RegistryError, VerificationError
from orchestrator.model import Channel, Digest, Reference, Repository, is_release
from orchestrator.registry.client import Registry
from orchestrator.registry.layer import read_layers
from orchestrator.verify.finding import Verification
from orchestrator.verify.unpack import unpack

_GONE: Final = "publish that version again, or move the channel; see what deletes from the registry"


def check_channels(registry: Registry, repository: Repository, found: Verification) -> None:
    """Rule 18: what channels name must be kept, also where they hold another version than this."""
    releases = repository / "release"
    tags = set(registry.tags(releases))
    channels = [channel for channel in Channel if channel in tags]
    held = registry.map(lambda name: _held(registry, releases.tagged(name)), channels)
    others: dict[str, list[str]] = {}
    for channel, version in zip(channels, held, strict=True):
        if version not in {"", found.version}:
            others.setdefault(version, []).append(channel)
    lost = registry.map(lambda version: _lost(registry, repository, version), sorted(others))
    for version, missing in zip(sorted(others), lost, strict=True):
        for what in missing:
            found.warn(18, f"{version} of {', '.join(others[version])}: {what}", _GONE)


def _held(registry: Registry, channel: Reference) -> str:
    """The version in a channel; empty where that is told by the channel's own verification."""
    image = unpack(registry, channel, Verification(reference=str(channel)), 14)
    try:
        value = json.loads(image.files.get("version.json", b"null")) if image else None
    except (ValueError, RecursionError):
        return ""
    version = value.get("version") if isinstance(value, dict) else None
    return version if isinstance(version, str) and is_release(version) else ""


def _lost(registry: Registry, repository: Repository, version: str) -> list[str]:
    """What is not there of a version: its two images, or application images of it."""
    reference = repository.tagged(version)
    release = (repository / "release").tagged(version)
    missing = [] if registry.head(release) else [f"{release} is not there"]
    manifest = registry.manifest(reference)
    if manifest is None:
        return [*missing, f"{reference} is not there"]
    try:
        layers = read_layers(registry, repository, manifest.layers, wanted=DIGESTS_FILE.__eq__)
        data = next(e.data for layer in reversed(layers) for e in layer if e.name == DIGESTS_FILE)
        digests = {key: Digest.parse(text) for key, text in json.loads(data).items()}
    except StopIteration:
        return missing
    except (
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
        ConfigError,
        VerificationError,
    ) as error:
        return [*missing, f"{reference} cannot be read: {error}"]
    except RegistryError as error:
        if error.exit_code != 1:
            raise
        return [*missing, f"{reference} cannot be read: {error.message}"]
    heads = registry.map(lambda digest: registry.head(repository.at(digest)), digests.values())
    return missing + [
        f"its image {key} ({digest}) is not there"
        for (key, digest), head in zip(digests.items(), heads, strict=True)
        if head is None
    ]


def check_anonymous(anonymous: Registry, repository: Repository, found: Verification) -> None:
    """Rule 20, without credentials: where that does not work, clusters need some."""
    source = repository.parent
    module = repository.tagged(found.version)
    release = (repository / "release").tagged(found.version)
    asked: list[tuple[str, Callable[[], object]]] = [
        (str(module), lambda: anonymous.head(module)),
        (str(release), lambda: anonymous.head(release)),
    ]
    if source is not None:
        asked.append((f"the modules of {source}", lambda: anonymous.tags(source)))
    closed = [
        what
        for what, there in zip(
            (what for what, _ in asked),
            anonymous.map(lambda each: _answers(each[1]), asked),
            strict=True,
        )
        if not there
    ]
    if closed:
        found.note(
            20,
            f"{', '.join(closed)} cannot be read without credentials",
            "give clusters some in the ModuleSource (registry.dockerCfg); "
            "verify --docker-config DIR checks with those",
        )


def _answers(ask: Callable[[], object]) -> bool:
    try:
        return bool(ask())
    except OrchestratorError:
        return False
