"""What a real registry's channels hold, and how that is shown."""

from orchestrator.channels import matrix
from orchestrator.channels.survey import read_release, survey
from orchestrator.model import Channel, Repository
from orchestrator.registry.client import Registry
from orchestrator.registry.copy import copy
from orchestrator.registry.image import LayerFile, assemble, push
from tests.unit.channels.conftest import publish

BRIDGE = "name: echo\nupdate: {versions: [{from: '1.0', to: '1.1'}, {from: 1}]}\n"


def name(client: Registry, repository: Repository, version: str, channel: str) -> None:
    releases = repository / "release"
    copy(client, releases.tagged(version), releases.tagged(channel))


def test_nothing_published(client: Registry, repository: Repository) -> None:
    found = survey(client, repository)
    assert (found.published, found.channels) == ([], {})
    assert all(row.release is None and not row.notes for row in matrix.rows(found))


def test_channels_and_versions(client: Registry, repository: Repository) -> None:
    for version in ("v1.10.0", "v1.9.0"):
        publish(client, repository, version, definition=BRIDGE)
    name(client, repository, "v1.9.0", "stable")
    name(client, repository, "v1.10.0", "alpha")
    found = survey(client, repository)
    assert found.published == ["v1.9.0", "v1.10.0"]
    assert found.version(Channel.ALPHA) == "v1.10.0"
    assert found.channels[Channel.ALPHA].bridges == (("1.0", "1.1"),)
    assert found.channels[Channel.STABLE].digest == found.digests["v1.9.0"]
    rows = {row.channel: row for row in matrix.rows(found)}
    assert not any(row.breaks for row in rows.values())
    assert rows[Channel.BETA].notes == ("empty, but stable is not",)
    assert rows[Channel.LTS].notes == rows[Channel.ROCK_SOLID].notes == ()


def test_breaks(client: Registry, repository: Repository) -> None:
    publish(client, repository, "v1.0.0")
    publish(client, repository, "v1.1.0", module=False)
    publish(client, repository, "main")
    name(client, repository, "v1.0.0", "beta")
    name(client, repository, "v1.1.0", "alpha")
    name(client, repository, "main", "stable")
    empty = assemble([LayerFile(path="x", data=b"")], annotations={}, created=None)
    push(client, empty, (repository / "release").tagged("rock-solid"))
    publish(client, repository, "v1.0.0", definition="name: echo\nweight: 1\n")
    found = {row.channel: row for row in matrix.rows(survey(client, repository))}
    assert found[Channel.BETA].breaks == ("release:v1.0.0 has another digest",)
    assert found[Channel.BETA].notes == ()
    assert found[Channel.ALPHA].breaks == ("the module image v1.1.0 is not there",)
    assert found[Channel.STABLE].breaks == ("main is no release vX.Y.Z",)
    assert "no version.json" in found[Channel.ROCK_SOLID].breaks[0]


def test_behind(client: Registry, repository: Repository) -> None:
    for version in ("v1.0.0", "v1.1.0"):
        publish(client, repository, version)
    name(client, repository, "v1.0.0", "alpha")
    name(client, repository, "v1.1.0", "stable")
    rows = {row.channel: row for row in matrix.rows(survey(client, repository))}
    assert rows[Channel.ALPHA].notes == ("behind stable",)


def test_a_release_image(client: Registry, repository: Repository) -> None:
    publish(client, repository, "v1.0.0")
    assert read_release(client, (repository / "release").tagged("v9.9.9")) is None
    found = read_release(client, (repository / "release").tagged("v1.0.0"))
    assert found is not None and found.version == "v1.0.0"
    assert matrix.age(found.created, 1767323045 + 3 * 86400) == "3 d"
    assert matrix.age("yesterday", 0) == matrix.age(None, 0) == ""
