"""Snapshots and trees of real repositories."""

import os
from pathlib import Path

import pytest

from orchestrator import git
from orchestrator.errors import ConfigError, OrchestratorError
from orchestrator.process import LocalRunner
from tests.harness import Project


@pytest.fixture
def runner() -> LocalRunner:
    return LocalRunner(os.environ)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "repo")
    made.directory.mkdir()
    made.git("init", "-q", "-b", "main")
    made.write("module.yaml", "name: echo\n")
    made.write("dir/run sh", "#!")
    (made.directory / "dir/run sh").chmod(0o755)
    (made.directory / "dir/link").symlink_to("/etc/passwd")
    made.commit(tag="v1.0.0")
    return made


def test_a_clean_snapshot(project: Project, runner: LocalRunner) -> None:
    project.git("tag", "other")
    found = git.snapshot(runner, project.directory, with_dirty=True)
    assert found.commit == project.git("rev-parse", "HEAD")
    assert found.tree == project.git("rev-parse", "HEAD^{tree}")
    assert found.committed_at == 1767323045
    assert (found.branch, found.tags, found.dirty) == ("main", ("other", "v1.0.0"), ())


def test_a_dirty_snapshot_leaves_the_index_alone(project: Project, runner: LocalRunner) -> None:
    project.write("new ä\n.txt", "x")
    project.write("module.yaml", "name: other\n")
    project.write(".orchestrator/x", "x")
    project.write("images_tags_werf.json", "x")
    project.write(".gitignore", "ignored\nimages_tags_werf.json\n.orchestrator\n")
    project.write("ignored", "x")
    before = project.git("status", "--porcelain")
    found = git.snapshot(runner, project.directory, with_dirty=True)
    assert found.dirty == (".gitignore", "module.yaml", "new ä\n.txt")
    assert project.git("status", "--porcelain") == before
    tree = git.Tree(runner, project.directory, found.tree)
    assert set(tree.paths()) == {
        ".gitignore",
        "dir/link",
        "dir/run sh",
        "module.yaml",
        "new ä\n.txt",
    }
    assert tree.read("module.yaml") == b"name: other\n"
    clean = git.snapshot(runner, project.directory, with_dirty=False)
    assert clean.tree == project.git("rev-parse", "HEAD^{tree}")
    assert clean.dirty == found.dirty


def test_a_module_below_the_top(project: Project, runner: LocalRunner) -> None:
    project.write("modules/echo/module.yaml", "name: echo\n")
    project.commit()
    project.write("modules/echo/new", "x")
    project.write("outside", "x")
    found = git.snapshot(runner, project.directory / "modules/echo", with_dirty=True)
    assert found.prefix == "modules/echo/"
    assert found.dirty == ("new",)
    tree = git.Tree(runner, project.directory / "modules/echo", found.tree)
    assert set(tree.paths()) == {"module.yaml", "new"}


def test_a_detached_head(project: Project, runner: LocalRunner) -> None:
    project.git("checkout", "-q", "--detach")
    project.commit()
    found = git.snapshot(runner, project.directory, with_dirty=False)
    assert (found.branch, found.tags) == (None, ())


def test_what_is_no_repository(tmp_path: Path, runner: LocalRunner) -> None:
    with pytest.raises(ConfigError, match="not in a git work tree"):
        git.snapshot(runner, tmp_path, with_dirty=False)
    Project(tmp_path).git("init", "-q")
    with pytest.raises(ConfigError, match="has no commit yet"):
        git.snapshot(runner, tmp_path, with_dirty=False)


def test_a_tree(project: Project, runner: LocalRunner) -> None:
    found = git.snapshot(runner, project.directory, with_dirty=False)
    tree = git.Tree(runner, project.directory, found.tree)
    assert tree.executable("dir/run sh")
    assert not tree.executable("module.yaml")
    assert tree.is_symlink("dir/link")
    assert tree.id_of("dir") == project.git("rev-parse", "HEAD:dir")
    assert tree.id_of("nothing") is None
    assert [path for path, _, _ in tree.listing("dir")] == ["link", "run sh"]
    assert len(tree.listing(".")) == 3
    with pytest.raises(KeyError):
        tree.read("nothing")


def test_an_export(project: Project, runner: LocalRunner, tmp_path: Path) -> None:
    found = git.snapshot(runner, project.directory, with_dirty=False)
    old = os.umask(0o077)
    try:
        git.Tree(runner, project.directory, found.tree).export(".", tmp_path / "out")
    finally:
        os.umask(old)
    out = tmp_path / "out"
    assert (out / "dir/run sh").stat().st_mode & 0o777 == 0o755
    assert (out / "module.yaml").stat().st_mode & 0o777 == 0o644
    assert (out / "dir").stat().st_mode & 0o777 == 0o755
    assert (out / "dir/link").readlink() == Path("/etc/passwd")


def test_submodules_are_told(project: Project, runner: LocalRunner, tmp_path: Path) -> None:
    project.git(
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        str(project.directory),
        "sub",
    )
    project.commit()
    found = git.snapshot(runner, project.directory, with_dirty=False)
    tree = git.Tree(runner, project.directory, found.tree)
    assert tree.submodules == ("sub",)
    assert "sub" not in tree.paths()


def test_a_damaged_repository(project: Project, runner: LocalRunner) -> None:
    found = git.snapshot(runner, project.directory, with_dirty=False)
    tree = git.Tree(runner, project.directory, found.tree)
    blob = project.git("rev-parse", "HEAD:module.yaml")
    (project.directory / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(OrchestratorError, match="git lacks the object"):
        tree.read("module.yaml")
