"""Every request of a publication spoiled in every way: complete, or a right exit code and no dangling name.

`make test` takes every 23rd case, ORCHESTRATOR_TEST_FAULTS=all takes all; the matrix is printed last.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.model import Repository
from orchestrator.registry.image import closure
from orchestrator.verify.run import verify
from tests.conftest import SUMMARY
from tests.faults import FAULTS, FaultyProxy, faulty_proxy
from tests.harness import Project, RealRegistry, real_registry
from tests.unit.registry.conftest import connect

STRIDE = 1 if os.environ.get("ORCHESTRATOR_TEST_FAULTS") == "all" else 23


@pytest.fixture(scope="module")
def behind(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RealRegistry, FaultyProxy]]:
    with (
        real_registry(tmp_path_factory.mktemp("registry")) as registry,
        faulty_proxy(registry.address) as proxy,
    ):
        yield registry, proxy


def project_at(directory: Path, proxy: FaultyProxy, source: str, retries: int) -> Project:
    project = Project(directory)
    project.write("module.yaml", "name: small\n")
    project.write("images/app/Dockerfile", "FROM scratch\nCOPY text /\n")
    project.write("images/app/text", "text")
    project.git("init", "-q", "-b", "main")
    project.commit(tag="v1.0.0")
    project.env |= {
        "MODULES_MODULE_SOURCE": f"{proxy.address}/{source}",
        "ORCHESTRATOR_BUILDER": "buildah",
        "ORCHESTRATOR_RETRIES": str(retries),
        "ORCHESTRATOR_TIMEOUT": "2",
        "ORCHESTRATOR_CONCURRENCY": "1",
    }
    return project


def dangling(registry: RealRegistry, source: str) -> list[str]:
    """Names in the real registry whose closure is not whole."""
    client = connect()
    repository = Repository.parse(f"{registry.address}/{source}/small")
    tree = registry.tree(source, "small")
    broken = []
    for tag in registry.tags(f"{source}/small"):
        broken += closure(client, repository.tagged(tag))
    if tree["release"]:
        broken += [
            str(error) for error in verify(client, repository, "v1.0.0").errors if error.rule != 17
        ]
    if tree["source"] and not tree["release"]:
        broken.append("listed before it is released")
    return broken


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_faults(
    behind: tuple[RealRegistry, FaultyProxy],
    tmp_path: Path,
    fault: str,
    record_property: Callable[[str, object], None],
) -> None:
    registry, proxy = behind
    place = FAULTS.index(fault)
    proxy.spoil(0, "")
    calm = project_at(tmp_path / "calm", proxy, f"calm-{place}", 0)
    done = calm.run("build")
    assert done.code == 0, done.err
    count = len(proxy.requests)
    assert count >= 25
    expected = registry.tree(f"calm-{place}", "small")
    outcomes: Counter[str] = Counter()
    cases = [
        (number, retries)
        for number in range(1, count + 1)
        for retries in (0, 3)
        if (number + place + retries) % STRIDE == 0
    ]
    for number, retries in cases:
        source = f"fault-{place}-{number}-{retries}"
        project = project_at(tmp_path / source, proxy, source, retries)
        proxy.spoil(number, fault)
        spoiled = project.run("build")
        name = f"{fault} at request {number} ({proxy.requests[number - 1]}), {retries} retries"
        assert "Traceback" not in spoiled.err, name
        assert spoiled.code in {0, 1, 75}, f"{name}: {spoiled.err}"
        if fault == "slow" or (retries and fault != "wrong digest"):
            assert spoiled.code == 0, f"{name}: {spoiled.err}"
        if fault in {"429", "500", "503", "hang"}:
            assert spoiled.code in {0, 75}, f"{name}: {spoiled.err}"
        if spoiled.code:
            assert "resume: orchestrator build" in spoiled.err, name
        assert dangling(registry, source) == [], name
        proxy.spoil(0, "")
        again = project.run("build")
        assert again.code == 0, f"{name}: {again.err}"
        assert registry.tree(source, "small") == expected, name
        outcomes[f"exit {spoiled.code}, {retries} retries"] += 1
    told = ", ".join(f"{count} x {what}" for what, count in sorted(outcomes.items()))
    record_property(SUMMARY, f"{fault:<24} {len(cases):4} cases: {told}")
