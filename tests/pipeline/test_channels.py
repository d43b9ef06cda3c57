"""Channels by the command line on a real registry, read back by crane; killed, raced, refused."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.model import Repository
from orchestrator.verify.run import verify
from tests.harness import Project, RealRegistry
from tests.pipeline.test_crashes import DYING
from tests.unit.registry.conftest import connect

Crane = Callable[..., str]
CHANNELS = ("alpha", "beta", "early-access", "stable", "rock-solid", "lts")


@pytest.fixture
def published(project: Project) -> Project:
    for version in ("v1.0.0", "v1.1.0", "v1.3.0"):
        done = project.run("build", "--tag", version)
        assert done.code == 0, done.err
    return project


def test_the_recipe_of_the_user_document(
    published: Project, registry: RealRegistry, crane: Crane
) -> None:
    done = published.run("promote", "v1.1.0", "beta", "alpha")
    assert done.code == 0, done.err
    assert [line.split()[:2] for line in done.out.splitlines()] == [
        ["alpha", "v1.1.0"],
        ["beta", "v1.1.0"],
    ]
    releases = f"{registry.address}/modules/echo/release"
    assert set(crane("ls", releases).split()) == {"v1.0.0", "v1.1.0", "v1.3.0", "alpha", "beta"}
    for channel in ("alpha", "beta"):
        assert crane("digest", f"{releases}:{channel}") == crane("digest", f"{releases}:v1.1.0")
    again = published.run("promote", "v1.1.0", "alpha", "-o", "json")
    assert json.loads(again.out)["channels"][0]["changed"] is False


def test_guards_and_their_ways_round(published: Project, registry: RealRegistry) -> None:
    assert published.run("promote", "v1.1.0", "stable").code == 0
    registry.forget()
    wrong = published.run("promote", "v1.1.0", "stabel")
    assert wrong.code == 64 and "did you mean stable?" in wrong.err
    missing = published.run("promote", "v1.2.0", "alpha")
    assert missing.code == 1 and "orchestrator build --tag v1.2.0" in missing.err
    gap = published.run("promote", "v1.3.0", "stable")
    assert gap.code == 1 and "--allow-gap" in gap.err
    down = published.run("promote", "v1.0.0", "stable")
    assert down.code == 1 and "--allow-downgrade" in down.err
    skip = published.run("promote", "--in-order", "v1.1.0", "beta")
    assert skip.code == 1 and "alpha holds nothing" in skip.err
    dry = published.run("promote", "--allow-gap", "--dry-run", "v1.3.0", "stable")
    assert dry.code == 0 and "was v1.1.0" in dry.out
    assert registry.writes() == []
    assert published.run("promote", "--allow-gap", "v1.3.0", "stable").code == 0
    assert published.run("promote", "--allow-downgrade", "v1.0.0", "stable").code == 0


def test_rollback(published: Project, registry: RealRegistry) -> None:
    assert published.run("promote", "v1.3.0", "stable").code == 0
    done = published.run("rollback", "stable")
    assert done.code == 0 and "v1.1.0" in done.out
    assert published.run("rollback", "stable", "--to", "v1.0.0").code == 0
    lowest = published.run("rollback", "stable")
    assert lowest.code == 1 and "no lower version is published" in lowest.err
    higher = published.run("rollback", "stable", "--to", "v1.3.0")
    assert higher.code == 64 and "orchestrator promote v1.3.0 stable" in higher.err
    empty = published.run("rollback", "alpha")
    assert empty.code == 1 and "alpha holds nothing" in empty.err
    tags = registry.tags("modules/echo/release")
    assert tags["stable"] == tags["v1.0.0"]


def test_channels_without_a_work_tree(
    published: Project, registry: RealRegistry, tmp_path: Path
) -> None:
    """A deploy job has no checkout."""
    repository = f"{registry.address}/modules/echo"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    away = Project(elsewhere)
    assert away.run("promote", f"{repository}:v1.0.0", "alpha").code == 0
    done = away.run("promote", "v1.1.0", "alpha", "--source", f"{registry.address}/modules")
    assert done.code == 78 and "--name M" in done.err
    done = away.run(
        "promote", "v1.1.0", "alpha", "--source", f"{registry.address}/modules", "--name", "echo"
    )
    assert done.code == 0, done.err
    shown = away.run("channels", repository)
    assert shown.code == 0 and "alpha         v1.1.0" in shown.out


def test_a_broken_channel_is_marked(published: Project, registry: RealRegistry) -> None:
    assert published.run("promote", "v1.0.0", "alpha").code == 0
    digest = registry.digest("modules/echo", "v1.0.0")
    registry.delete("modules/echo", digest)
    shown = published.run("channels")
    assert shown.code == 1
    assert "BROKEN: the module image v1.0.0 is not there" in shown.out
    assert json.loads(published.run("channels", "-o", "json").out)["unpaired"] == ["v1.0.0"]


def test_killed_at_every_point(published: Project, registry: RealRegistry, tmp_path: Path) -> None:
    """Every channel is as it was or as it is to be; the same command again ends it."""
    arguments = ("promote", "v1.1.0", "alpha", "beta", "stable")
    listing = tmp_path / "points"
    assert published.run("promote", "v1.0.0", *CHANNELS[:4]).code == 0
    done = published.run("count", *arguments, program=DYING, env={"POINTS": str(listing)})
    assert done.code == 0, done.err
    names = listing.read_text().splitlines()
    assert sum(name == "before PUT" for name in names) == 3
    expected = registry.tags("modules/echo/release")
    for number, name in enumerate(names, start=1):
        back = published.run("promote", "v1.0.0", *CHANNELS[:4], "--allow-downgrade")
        assert back.code == 0, back.err
        died = published.run(str(number), *arguments, program=DYING)
        assert died.code == -9, f"{name}: {died.err}"
        tags = registry.tags("modules/echo/release")
        held = [tags[channel] == tags["v1.1.0"] for channel in ("alpha", "beta", "stable")]
        assert held == sorted(held, reverse=True), name
        again = published.run(*arguments)
        assert again.code == 0, f"{name}: {again.err}"
        assert registry.tags("modules/echo/release") == expected, name


def test_two_promotions_race(published: Project, registry: RealRegistry, tmp_path: Path) -> None:
    """Each channel ends with one of both, whole; who was overtaken is told so or was first."""
    repository = f"{registry.address}/modules/echo"
    codes: set[int] = set()
    for number in range(4):
        children = []
        for version in ("v1.0.0", "v1.1.0"):
            place = tmp_path / f"{version}-{number}"
            place.mkdir()
            children.append(
                subprocess.Popen(
                    [
                        *(sys.executable, "-m", "orchestrator", "promote"),
                        *(f"{repository}:{version}", "alpha", "stable", "--allow-downgrade"),
                    ],
                    cwd=place,
                    env={**published.base_env(), **published.env},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        codes |= {child.wait(timeout=60) for child in children}
        client = connect()
        for channel in ("alpha", "stable"):
            found = verify(client, Repository.parse(repository), channel)
            assert found.errors == [] and found.version in {"v1.0.0", "v1.1.0"}
    assert codes <= {0, 1, 75} and 0 in codes
