"""Snapshots and trees of real repositories."""

import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator import git
from orchestrator.errors import ConfigError, OrchestratorError
from orchestrator.process import Command, LocalRunner, Outcome
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


@pytest.mark.parametrize("mode", ["--cone", "--no-cone"])
def test_a_dirty_sparse_checkout_keeps_what_is_not_checked_out(
    project: Project, runner: LocalRunner, mode: str
) -> None:
    project.write("images/app/Dockerfile", "FROM scratch\n")
    project.write("docs/README.md", "x")
    project.commit()
    project.git("sparse-checkout", "set", mode, "images")
    assert not (project.directory / "docs").exists()
    project.write("images/app/Dockerfile", "FROM other\n")
    project.write("docs/new.md", "x")
    before = project.git("status", "--porcelain")
    found = git.snapshot(runner, project.directory, with_dirty=True)
    assert project.git("status", "--porcelain") == before
    tree = git.Tree(runner, project.directory, found.tree)
    assert {"docs/README.md", "docs/new.md", "module.yaml"} <= set(tree.paths())
    assert tree.read("images/app/Dockerfile") == b"FROM other\n"
    assert found.dirty == ("docs/new.md", "images/app/Dockerfile")


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


def test_the_users_git_settings_change_nothing(project: Project, tmp_path: Path) -> None:
    project.git("config", "log.excludeDecoration", "refs/tags/*")
    project.git("config", "log.showSignature", "true")
    project.git("config", "status.showUntrackedFiles", "no")
    project.write(".orchestrator/x", "x")
    project.write("new", "x")
    # What a hook of another repository leaves in the environment, and a pathspec mode.
    elsewhere = {name: str(tmp_path) for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")}
    runner = LocalRunner({**os.environ, **elsewhere, "GIT_LITERAL_PATHSPECS": "1"})
    found = git.snapshot(runner, project.directory, with_dirty=True)
    assert (found.tags, found.dirty) == (("v1.0.0",), ("new",))


def test_git_is_asked_few_times(project: Project) -> None:
    asked = []

    class Counting(LocalRunner):
        def run(self, command: Command, **more: Any) -> Outcome:
            asked.append(command.argv)
            return super().run(command, **more)

    found = git.snapshot(Counting(os.environ), project.directory, with_dirty=True)
    assert len(asked) == 3
    git.Tree(Counting(os.environ), project.directory, found.tree).read_all(["module.yaml"])
    assert len(asked) == 5


def test_a_shallow_clone(project: Project, runner: LocalRunner, tmp_path: Path) -> None:
    project.commit(tag="v1.1.0")
    clone = tmp_path / "clone"
    project.git("clone", "-q", "--depth", "1", project.directory.as_uri(), str(clone))
    found = git.snapshot(runner, clone, with_dirty=False)
    assert (found.branch, found.tags) == ("main", ("v1.1.0",))
    assert set(git.Tree(runner, clone, found.tree).paths()) >= {"module.yaml"}


def test_a_module_of_which_nothing_is_committed(project: Project, runner: LocalRunner) -> None:
    project.write("modules/new/module.yaml", "name: new\n")
    directory = project.directory / "modules/new"
    with pytest.raises(ConfigError, match=r"nothing in .*/modules/new is committed"):
        git.snapshot(runner, directory, with_dirty=False)
    found = git.snapshot(runner, directory, with_dirty=True)
    assert git.Tree(runner, directory, found.tree).paths() == ("module.yaml",)


def test_a_directory_of_any_name(project: Project, runner: LocalRunner) -> None:
    directory = project.directory / os.fsdecode(b"a \xff\n\xe2\x80\xa8b")
    directory.mkdir()
    (directory / "module.yaml").write_text("name: echo\n")
    project.commit()
    (directory / "-new\n").write_text("")
    found = git.snapshot(runner, directory, with_dirty=True)
    assert found.dirty == ("-new\n",)
    assert git.Tree(runner, directory, found.tree).paths() == ("-new\n", "module.yaml")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_work_tree_of_another_user(project: Project, runner: LocalRunner) -> None:
    top = project.directory
    for path in (top, top / ".git"):
        os.chown(path, 12345, 12345)
    with pytest.raises(ConfigError, match="another user owns it") as caught:
        git.snapshot(runner, top / "dir", with_dirty=False)
    assert caught.value.hint == f"git config --global --add safe.directory {top}"


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


def test_an_export_of_some_files(project: Project, runner: LocalRunner, tmp_path: Path) -> None:
    found = git.snapshot(runner, project.directory, with_dirty=False)
    tree = git.Tree(runner, project.directory, found.tree)
    tree.export("dir", tmp_path / "out", lambda path: path != "link")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["run sh"]


def _forged(project: Project, *entries: tuple[str, str]) -> str:
    """The id of a tree that `git add` would never make."""
    blob = project.git("rev-parse", "HEAD:module.yaml")
    inner = _mktree(project, f"100644 blob {blob}\tmodule.yaml")
    ids = {"tree": inner, "blob": project.git("rev-parse", "HEAD:dir/link")}
    modes = {"tree": "040000", "blob": "120000"}
    return _mktree(
        project, *(f"{modes[kind]} {kind} {ids[kind]}\t{name}" for kind, name in entries)
    )


def _mktree(project: Project, *lines: str) -> str:
    raw = b""
    for line in lines:
        head, _, name = line.partition("\t")
        mode, _, blob = head.split()
        raw += f"{mode.lstrip('0')} {name}\0".encode() + bytes.fromhex(blob)
    path = project.directory.parent / "raw"
    path.write_bytes(raw)
    return project.git("hash-object", "--literally", "-t", "tree", "-w", str(path))


def test_nothing_is_written_through_a_symlink(
    project: Project, runner: LocalRunner, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (project.directory / "dir/link").unlink()
    (project.directory / "dir/link").symlink_to(outside)
    project.commit()
    tree = git.Tree(runner, project.directory, _forged(project, ("blob", "same"), ("tree", "same")))
    assert set(tree.paths()) == {"same", "same/module.yaml"}
    with pytest.raises(FileExistsError):
        tree.export(".", tmp_path / "out")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["..", ".git", "."])
def test_names_that_lead_out_are_refused(project: Project, runner: LocalRunner, name: str) -> None:
    with pytest.raises(OrchestratorError, match="holds the path"):
        git.Tree(runner, project.directory, _forged(project, ("tree", name)))


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
