"""Moves of channels in a real registry: whatever is missing, no channel names an incomplete closure."""

import uuid
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.channels.guards import refusals
from orchestrator.channels.move import Move, move
from orchestrator.channels.survey import read_release, survey
from orchestrator.errors import Busy, OrchestratorError, VerificationError
from orchestrator.events import silent
from orchestrator.fsio import sha256
from orchestrator.model import Channel, Repository
from orchestrator.registry.client import Registry
from orchestrator.registry.copy import copy
from orchestrator.registry.image import closure
from tests.harness import RealRegistry
from tests.unit.channels.conftest import publish

STABLE, ALPHA, BETA = Channel.STABLE, Channel.ALPHA, Channel.BETA


def plan(
    client: Registry, repository: Repository, version: str, ignored: Collection[int] = ()
) -> Move:
    held = survey(client, repository)
    return Move(
        registry=client,
        repository=repository,
        name=str(repository),
        version=version,
        before={channel: each.digest for channel, each in held.channels.items()},
        ignored_rules=frozenset(ignored),
    )


def test_an_unchanged_copy(
    client: Registry, repository: Repository, work: Path, real: RealRegistry
) -> None:
    publish(client, repository, "v1.0.0")
    move(plan(client, repository, "v1.0.0"), [STABLE, ALPHA], work, silent)
    tags = real.tags(f"{repository.path}/release")
    assert set(tags) == {"v1.0.0", "alpha", "stable"} and len(set(tags.values())) == 1
    real.forget()
    move(plan(client, repository, "v1.0.0"), [ALPHA, STABLE], work, silent)
    (work / "journal").rename(work / "elsewhere")
    move(plan(client, repository, "v1.0.0"), [ALPHA, STABLE], work, silent)
    assert real.writes() == []


def test_bold_channels_first(
    client: Registry, repository: Repository, work: Path, real: RealRegistry
) -> None:
    publish(client, repository, "v1.0.0")
    real.forget()
    move(plan(client, repository, "v1.0.0"), [STABLE, BETA, ALPHA], work, silent)
    puts = [path.rpartition("/")[2] for method, path, _ in real.writes() if method == "PUT"]
    assert puts == ["alpha", "beta", "stable"]


def test_moved_by_somebody_else(client: Registry, repository: Repository, work: Path) -> None:
    for version in ("v1.0.0", "v1.1.0"):
        publish(client, repository, version)
    decided = plan(client, repository, "v1.0.0")
    move(plan(client, repository, "v1.1.0"), [STABLE], work, silent)
    with pytest.raises(Busy, match="moved by somebody else"):
        move(decided, [STABLE], work, silent)
    assert survey(client, repository).version(STABLE) == "v1.1.0"


def test_a_broken_version_is_refused(
    client: Registry, repository: Repository, work: Path, real: RealRegistry
) -> None:
    publish(client, repository, "v1.0.0", definition="name: echo\nstage: X\n")
    with pytest.raises(VerificationError, match="not fit for a channel") as caught:
        move(plan(client, repository, "v1.0.0"), [STABLE], work, silent)
    assert "--ignore-rule 5" in str(caught.value.hint)
    assert "stable" not in real.tags(f"{repository.path}/release")
    move(plan(client, repository, "v1.0.0", {5}), [STABLE], work, silent)
    assert "stable" in real.tags(f"{repository.path}/release")


def test_the_closure_cannot_be_ignored(
    client: Registry, repository: Repository, work: Path, real: RealRegistry
) -> None:
    publish(client, repository, "v1.0.0")
    tag = sha256(b"v1.0.0")[7:63] + "-1234567890123"
    real.delete(repository.path, real.digest(repository.path, tag))
    with pytest.raises(VerificationError) as caught:
        move(plan(client, repository, "v1.0.0", range(1, 22)), [STABLE], work, silent)
    assert "--ignore-rule" not in str(caught.value.hint)
    assert "stable" not in real.tags(f"{repository.path}/release")


DAMAGE = st.lists(st.sampled_from(("app", "module", "release", "layer", "config")), max_size=2)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("v1.0.0", "v1.1.0", "v1.3.0")),
            st.lists(st.sampled_from(list(Channel)), min_size=1, max_size=3, unique=True),
            DAMAGE,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_no_channel_ever_names_an_incomplete_closure(
    client: Registry,
    real: RealRegistry,
    work: Path,
    steps: list[tuple[str, list[Channel], list[str]]],
) -> None:
    """Versions are damaged before they are promoted; what got into a channel was whole then."""
    repository = Repository.parse(f"{real.address}/p{uuid.uuid4().hex}/echo")
    damaged: set[str] = set()
    for version in ("v1.0.0", "v1.1.0", "v1.3.0"):
        publish(client, repository, version)
    for version, channels, damage in steps:
        named = {c: survey(client, repository).version(c) for c in Channel}
        if version not in named.values():
            for part in damage:
                _break(client, real, repository, version, part)
                damaged.add(version)
        try:
            held = survey(client, repository)
            there = read_release(client, (repository / "release").tagged(version))
            if not refusals(version, channels, held, there, in_order=False):
                move(plan(client, repository, version, range(1, 22)), channels, work, silent)
        except OrchestratorError:
            assert damaged
        for channel, release in survey(client, repository).channels.items():
            assert release.version not in damaged, (channel, damaged)
            assert closure(client, (repository / "release").at(release.digest)) == []
            assert closure(client, repository.tagged(release.version)) == []


def _break(
    client: Registry, real: RealRegistry, repository: Repository, version: str, part: str
) -> None:
    app = sha256(version.encode())[7:63] + "-1234567890123"
    if part == "release":
        _delete(real, f"{repository.path}/release", version)
    elif part == "module":
        _delete(real, repository.path, version)
    elif part == "app":
        _delete(real, repository.path, app)
    else:
        manifest = (
            client.manifest(repository.tagged(app)) if app in real.tags(repository.path) else None
        )
        if manifest is not None:
            blob = manifest.config if part == "config" else manifest.layers[0]
            link = f"{repository.path}/_layers/sha256/{blob.digest.hex}/link"
            path = real.log.parent / "data/docker/registry/v2/repositories" / link
            path.unlink(missing_ok=True)


def _delete(real: RealRegistry, path: str, tag: str) -> None:
    digest = real.tags(path).get(tag)
    if digest is not None:
        real.delete(path, digest)


def test_a_copy_by_hand_is_seen(client: Registry, repository: Repository, work: Path) -> None:
    """What others put into a channel is replaced, and its digest told apart."""
    for version in ("v1.0.0", "v1.1.0"):
        publish(client, repository, version)
    releases = repository / "release"
    copy(client, releases.tagged("v1.0.0"), releases.tagged("beta"))
    move(plan(client, repository, "v1.1.0"), [BETA], work, silent)
    copy(client, releases.tagged("v1.0.0"), releases.tagged("beta"))
    move(plan(client, repository, "v1.1.0"), [BETA], work, silent)
    assert survey(client, repository).version(BETA) == "v1.1.0"
