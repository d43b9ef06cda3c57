"""Killed with -9 at every journal append and around every registry write, a re-run ends the same."""

import sys
from pathlib import Path

import pytest

from orchestrator.stages import PIPELINE
from tests.harness import Project, RealRegistry, make_project

DYING = (sys.executable, str(Path(__file__).with_name("dying.py")))


def _project(directory: Path, registry: RealRegistry, source: str) -> Project:
    project = make_project(directory / "echo")
    project.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/{source}"
    project.env["ORCHESTRATOR_BUILDER"] = "buildah"
    return project


def _whole(registry: RealRegistry, source: str) -> None:
    """No name without its closure: a release only with its module image and all it names."""
    tree = registry.tree(source, "echo")
    if tree["source"]:
        assert tree["release"]
    if tree["release"]:
        assert "v1.0.0" in tree["module"]
        assert len(tree["module"]) == 3


PARTS = 6


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_every_point(tmp_path: Path, shared_registry: RealRegistry, part: int) -> None:
    registry = shared_registry
    calm = _project(tmp_path / "calm", registry, f"calm-{part}")
    listing = tmp_path / "points"
    done = calm.run("count", "build", program=DYING, env={"POINTS": str(listing)})
    assert done.code == 0, done.err
    points = listing.read_text().splitlines()
    expected = registry.tree(f"calm-{part}", "echo")
    for stage in PIPELINE:
        for event in ("started", "done"):
            assert f"after journal {stage.name} {event}" in points
    assert sum(point.startswith("before PUT") for point in points) >= 8

    for number, name in list(enumerate(points, start=1))[part::PARTS]:
        source = f"crash-{part}-{number}"
        project = _project(tmp_path / source, registry, source)
        died = project.run(str(number), "build", program=DYING)
        assert died.code == -9, f"{name}: {died.err}"
        _whole(registry, source)
        again = project.run("build")
        assert again.code == 0, f"{name}: {again.err}"
        assert registry.tree(source, "echo") == expected, name
        registry.forget()
        third = project.run("build")
        assert "nothing to do" in third.err, f"{name}: {third.err}"
        assert registry.writes() == [], name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "arguments"),
    [
        ((), ("build", "--until", "digests")),
        (("build", "--until", "digests"), ("build", "--from", "module")),
        (("build",), ("build", "--from", "build", "--until", "release")),
    ],
    ids=["until", "from", "from and until, forced"],
)
def test_every_third_point_of_a_part(
    tmp_path: Path,
    shared_registry: RealRegistry,
    before: tuple[str, ...],
    arguments: tuple[str, ...],
) -> None:
    registry = shared_registry
    place = "-".join(arguments).replace("--", "")
    whole = _project(tmp_path / "whole", registry, f"{place}/whole")
    assert whole.run("build").code == 0
    expected = registry.tree(f"{place}/whole", "echo")
    calm = _project(tmp_path / "calm", registry, f"{place}/calm")
    assert not before or calm.run(*before).code == 0
    listing = tmp_path / "points"
    done = calm.run("count", *arguments, program=DYING, env={"POINTS": str(listing)})
    assert done.code == 0, done.err
    points = listing.read_text().splitlines()
    assert len(points) >= 12
    for number, name in list(enumerate(points, start=1))[::3]:
        source = f"{place}/crash-{number}"
        project = _project(tmp_path / f"crash-{number}", registry, source)
        assert not before or project.run(*before).code == 0
        died = project.run(str(number), *arguments, program=DYING)
        assert died.code == -9, f"{name}: {died.err}"
        _whole(registry, source)
        again = project.run("build")
        assert again.code == 0, f"{name}: {again.err}"
        assert registry.tree(source, "echo") == expected, name
