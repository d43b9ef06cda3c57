"""Two publishers at once, on two machines as it were: never a dangling name, and one result."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.model import Repository
from orchestrator.registry.image import closure
from orchestrator.verify.run import verify
from tests.harness import Project, RealRegistry, make_project
from tests.unit.registry.conftest import connect


def clones(tmp_path: Path, registry: RealRegistry, count: int = 2) -> list[Project]:
    origin = make_project(tmp_path / "origin")
    made = []
    for number in range(count):
        directory = tmp_path / f"machine-{number}" / "echo"
        subprocess.run(["git", "clone", "-q", str(origin.directory), str(directory)], check=True)
        project = Project(directory)
        project.env |= {
            "MODULES_MODULE_SOURCE": f"{registry.address}/modules",
            "ORCHESTRATOR_BUILDER": "buildah",
        }
        made.append(project)
    return made


def at_once(projects: Sequence[Project], *arguments: Sequence[str]) -> list[tuple[int, str]]:
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "orchestrator", "build", *more],
            cwd=project.directory,
            env={**project.base_env(), **project.env},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for project, more in zip(projects, arguments, strict=True)
    ]
    ended = []
    for child in children:
        _, err = child.communicate(timeout=120)
        ended.append((child.returncode, err))
    return ended


def whole(registry: RealRegistry, *versions: str) -> None:
    client = connect()
    repository = Repository.parse(f"{registry.address}/modules/echo")
    for version in versions:
        assert verify(client, repository, version).errors == []
    for tag in registry.tags("modules/echo"):
        assert closure(client, repository.tagged(tag)) == []


def test_one_version_from_two_machines(tmp_path: Path, registry: RealRegistry) -> None:
    ended = at_once(clones(tmp_path, registry), (), ())
    assert [code for code, _ in ended] == [0, 0], ended
    whole(registry, "v1.0.0")
    assert set(registry.tags("modules/echo/release")) == {"v1.0.0"}


def test_two_versions_at_once(tmp_path: Path, registry: RealRegistry) -> None:
    projects = clones(tmp_path, registry)
    ended = at_once(projects, ("--tag", "v1.1.0"), ("--tag", "v1.2.0"))
    assert [code for code, _ in ended] == [0, 0], ended
    whole(registry, "v1.1.0", "v1.2.0")


def test_one_version_from_two_commits(tmp_path: Path, registry: RealRegistry) -> None:
    """One of them wins; the other is refused, or told that what it wrote reads back as another."""
    projects = clones(tmp_path, registry)
    projects[1].write("docs/README.md", "# Other\n")
    projects[1].commit()
    ended = at_once(projects, ("--tag", "v2.0.0"), ("--tag", "v2.0.0"))
    codes = sorted(code for code, _ in ended)
    assert set(codes) <= {0, 1, 73}, ended
    again = [project.run("build", "--tag", "v2.0.0") for project in projects]
    assert sorted(done.code for done in again) == [0, 73], [done.err for done in again]
    whole(registry, "v2.0.0")


def test_a_development_tag_from_two_machines(tmp_path: Path, registry: RealRegistry) -> None:
    projects = clones(tmp_path, registry)
    projects[1].write("docs/README.md", "# Other\n")
    ended = at_once(projects, ("--tag", "main"), ("--tag", "main"))
    assert all(code in {0, 1} for code, _ in ended), ended
    for project in projects:
        assert project.run("build", "--tag", "main").code == 0
    whole(registry)


def test_a_clean_up_that_deletes_what_is_reused(tmp_path: Path, registry: RealRegistry) -> None:
    (project,) = clones(tmp_path, registry, 1)
    assert project.run("build").code == 0
    client = connect()
    repository = Repository.parse(f"{registry.address}/modules/echo")
    digests = (project.directory / ".orchestrator/images_digests.json").read_text()
    tag = next(tag for tag, digest in registry.tags("modules/echo").items() if digest in digests)
    manifest = client.manifest(repository.tagged(tag))
    assert manifest is not None
    digest = manifest.layers[0].digest
    link = f"modules/echo/_layers/sha256/{digest.hex}/link"
    (registry.log.parent / "data/docker/registry/v2/repositories" / link).unlink()
    done = project.run("build", "--tag", "v1.0.1", "--force", "build")
    assert done.code == 0, done.err
    whole(registry, "v1.0.1", "v1.0.0")


def test_a_rebuild_whose_images_differ_keeps_what_is_published(
    tmp_path: Path, registry: RealRegistry
) -> None:
    """The stage cache was cleaned, and the builder is not reproducible."""
    project = make_project(tmp_path / "echo")
    unlike = 'RUN ["/bin/busybox", "sh", "-c", "/bin/busybox cat /proc/uptime > /built"]'
    project.write("images/backend/Dockerfile", f"FROM scratch\nCOPY rootfs/ /\n{unlike}\n")
    project.commit()
    project.git("tag", "-f", "v1.0.0")
    project.env |= {
        "MODULES_MODULE_SOURCE": f"{registry.address}/modules",
        "ORCHESTRATOR_BUILDER": "buildah",
    }
    first = project.run("build")
    assert first.code == 0, first.err
    tree = registry.tree("modules", "echo")
    project.env["WERF_REPO"] = f"{registry.address}/elsewhere/echo"
    again = project.run("build")
    assert again.code == 0, again.err
    assert "nothing was replaced by sha256:" in again.err
    assert again.last == first.last
    after = registry.tree("modules", "echo")
    assert after["release"] == tree["release"]
    assert after["module"]["v1.0.0"] == tree["module"]["v1.0.0"]
