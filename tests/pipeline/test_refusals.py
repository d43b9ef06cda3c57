"""Bad input and a bad world: a clear error, the right exit code, nothing half-written, no traceback."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness import Done, Project, RealRegistry, free_port, make_project, real_registry


@pytest.fixture
def plain(tmp_path: Path) -> Project:
    """The echo module, committed, with a source at which nobody listens."""
    made = make_project(tmp_path / "echo")
    made.env |= {
        "MODULES_MODULE_SOURCE": f"127.0.0.1:{free_port()}/modules",
        "ORCHESTRATOR_BUILDER": "buildah",
        "ORCHESTRATOR_RETRIES": "0",
    }
    return made


def refused(done: Done, code: int, *says: str) -> None:
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    for text in says:
        assert text in done.err, done.err
    if code != 64:
        assert "resume: orchestrator build" in done.err


def test_all_configuration_errors_at_once(plain: Project) -> None:
    plain.write("module.yaml", "name: Echo\nwieght: 5\nstage: General\n")
    plain.write("orchestrator.yaml", "bulider: buildah\nretries: 1.10\n")
    plain.commit()
    refused(
        plain.run("build", "--tag", "stable"),
        78,
        "module.yaml:2: wieght: unknown key; did you mean weight?",
        "module.yaml: name: 'Echo' is not a module name",
        "orchestrator.yaml:1: unknown setting 'bulider'; did you mean builder?",
        "orchestrator.yaml:2: 1.10 reads as the number 1.1",
        "'stable' is the name of a release channel",
    )
    assert not (plain.directory / ".orchestrator" / "werf.yaml").exists()


def test_names_that_would_not_survive(plain: Project) -> None:
    plain.write("docs/a..b.md", "x")
    (plain.directory / "docs/link.md").symlink_to("/etc/passwd")
    plain.commit()
    refused(
        plain.run("build", "--tag", "main"),
        78,
        "docs/a..b.md: DKP refuses any name with ..",
        "docs/link.md: DKP drops symlinks",
    )


def test_a_missing_images_directory(plain: Project) -> None:
    plain.git("rm", "-rq", "images")
    plain.commit()
    refused(
        plain.run("build", "--tag", "main"),
        78,
        "templates/backend/deployment.yaml:23: it asks for the image backend, but there is no images/",
    )


def test_a_module_that_needs_no_images(tmp_path: Path, registry: RealRegistry) -> None:
    project = Project(tmp_path / "small")
    project.write("module.yaml", "name: small\n")
    project.git("init", "-q", "-b", "main")
    project.commit(tag="v1.0.0")
    done = project.run("build", "--source", f"{registry.address}/modules", "--builder", "buildah")
    assert done.code == 0, done.err
    assert (project.directory / ".orchestrator/images_digests.json").read_text() == "{}\n"
    assert set(registry.tags("modules/small")) == {"v1.0.0"}


def test_no_git(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.write("module.yaml", "name: echo\n")
    refused(project.run("build"), 78, "is not in a git work tree", "git init")
    project.git("init", "-q")
    refused(project.run("build"), 78, "has no commit yet")
    refused(project.run("build", "-C", "nowhere"), 78, "nowhere is not a directory")


def test_no_module_yaml(plain: Project) -> None:
    plain.git("mv", "module.yaml", "modules.yaml")
    plain.commit()
    refused(plain.run("build", "--tag", "main"), 78, "only modules.yaml: rename it")


def test_a_dirty_tree_is_no_release(plain: Project) -> None:
    plain.write("docs/README.md", "changed")
    plain.write("templates/new.yaml", "x: 1")
    plain.write("notes.txt", "not part of the module")
    done = plain.run("build")
    refused(done, 78, "v1.0.0 is a release (git tag at HEAD), but files are not committed")
    assert "docs/README.md: not committed" in done.err
    assert "templates/new.yaml: not committed" in done.err
    assert "notes.txt" not in done.err


def test_bad_settings(plain: Project) -> None:
    refused(plain.run("build", "--source", "https://r.io/m"), 78, "--source", "drop http(s)://")
    refused(plain.run("build", "--tag", ""), 78, "--tag", "text is expected")
    refused(plain.run("build", "--name", "other"), 78, "published as 'other'")
    environ = {"MODULES_MODULE_SOURCE": "", "WERF_REPO": "r.io/x/other"}
    refused(plain.run("build", env=environ), 78, "does not end in /echo")


def test_the_source_is_told_from_the_repository_of_today(
    plain: Project, registry: RealRegistry
) -> None:
    environ = {"MODULES_MODULE_SOURCE": "", "WERF_REPO": f"{registry.address}/modules/echo"}
    done = plain.run("build", env=environ)
    assert done.code == 0, done.err
    assert done.last.startswith(f"{registry.address}/modules/echo@")


def test_the_registry_is_down(plain: Project) -> None:
    done = plain.run("build")
    refused(done, 75, "connection refused", "127.0.0.1:")
    assert done.err.count("build") < 10


def test_no_write_access(plain: Project, tmp_path: Path) -> None:
    auth = f"auth: {{htpasswd: {{realm: test, path: {tmp_path}/htpasswd}}}}\n"
    with real_registry(tmp_path / "closed", extra=auth) as registry:
        plain.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/modules"
        refused(plain.run("build"), 1, "HTTP 401", "credentials")


def test_a_readonly_registry(plain: Project, tmp_path: Path) -> None:
    storage = tmp_path / "maintained"
    with real_registry(storage, readonly=True) as registry:
        plain.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/modules"
        refused(
            plain.run("build"),
            1,
            "the registry does not let us publish",
            "/modules/echo: cannot be written",
            "/modules/echo/release: cannot be written",
            "/modules: cannot be written",
            "HTTP 405",
        )


def test_configuration_and_registry_are_refused_at_once(plain: Project, tmp_path: Path) -> None:
    plain.write("module.yaml", "name: echo\nstage: Nowhere\n")
    plain.commit(tag="v1.0.1")
    with real_registry(tmp_path / "maintained", readonly=True) as registry:
        plain.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/modules"
        done = plain.run("build", "--tag", "v1.0.1")
        refused(
            done,
            78,
            "module.yaml:2: stage",
            "/modules/echo: cannot be written",
            "/modules/echo/release: cannot be written",
            "/modules: cannot be written",
        )
        registry.forget()
        assert "cannot be written" not in plain.run("plan", "--tag", "v1.0.1").err
        assert registry.requests() == []
    done = plain.run("build", "--tag", "v1.0.1")
    refused(done, 78, "module.yaml:2: stage", "/modules: cannot be asked", "connection refused")


def test_the_builder_and_the_registry_refuse_at_once(plain: Project, tmp_path: Path) -> None:
    with real_registry(tmp_path / "maintained", readonly=True) as registry:
        plain.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/modules"
        done = plain.run("build", "--", "--log-verbose")
        refused(done, 78, "the builder is buildah", "/modules/echo: cannot be written")


def test_a_taken_port(plain: Project) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = plain.run("registry", "serve", "--port", str(taken.getsockname()[1]))
    assert done.code == 78
    assert "is taken by another program" in done.err


def test_a_full_disk(plain: Project, tmp_path: Path) -> None:
    """A tiny file system where the state is kept."""
    state = plain.directory / ".orchestrator"
    state.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=8", "tmpfs", str(state)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        done = plain.run("build")
        refused(done, 1, "No space left on device", "free some disk space")
    finally:
        subprocess.run(["umount", str(state)], check=True)
    with real_registry(tmp_path / "registry") as registry:
        source = f"{registry.address}/modules"
        assert plain.run("build", "--source", source).code == 0


def test_two_runs_at_once(plain: Project) -> None:
    import fcntl

    state = plain.directory / ".orchestrator"
    state.mkdir()
    with (state / "lock").open("w") as held:
        held.write("pid 1 on there, orchestrator build")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        refused(plain.run("build"), 75, "another run works on this module: pid 1 on there")


def test_an_image_that_only_werf_can_build(plain: Project) -> None:
    plain.write("images/tool/werf.inc.yaml", "image: tool\nfrom: scratch\n")
    plain.commit()
    refused(
        plain.run("build", "--tag", "main"),
        69,
        "images/tool/werf.inc.yaml: only werf can build it",
        "install werf 2",
    )


def test_no_builder(plain: Project, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("git", "sh"):
        (tools / name).symlink_to(shutil.which(name) or "")
    plain.env |= {"PATH": str(tools), "ORCHESTRATOR_BUILDER": "auto"}
    refused(
        plain.run("build"), 69, "neither werf nor buildah is on PATH", "apt-get install buildah"
    )
    (tools / "git").unlink()
    refused(plain.run("build"), 69, "git is not installed")


def test_a_failing_image_leaves_the_others_built(plain: Project, registry: RealRegistry) -> None:
    plain.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/modules"
    dockerfile = (plain.directory / "images/backend/Dockerfile").read_text()
    plain.write("images/backend/Dockerfile", f'{dockerfile}RUN ["/bin/busybox", "false"]\n')
    plain.commit()
    done = plain.run("build", "--tag", "main")
    refused(done, 1, "image backend: buildah build ended with exit code", "/bin/busybox")
    assert set(registry.tags("modules/echo/release")) == set()
    report = json.loads((plain.directory / ".orchestrator/report.json").read_text())
    assert not report["ok"]
    assert report["error"]["stage"] == "build"
    assert [stage["stage"] for stage in report["stages"]] == ["render", "build"]
    plain.write("images/backend/Dockerfile", dockerfile)
    mended = plain.run("build", "--tag", "main")
    assert mended.code == 0, mended.err
    assert "image frontend: reused" in mended.err


def test_a_path_with_the_separators_of_tools(tmp_path: Path, registry: RealRegistry) -> None:
    project = make_project(tmp_path / "a:b,c d=e'f" / "echo")
    source = f"{registry.address}/modules"
    done = project.run("build", "--source", source, "--builder", "buildah")
    assert done.code == 0, done.err


def test_a_missing_base_image(plain: Project, registry: RealRegistry) -> None:
    plain.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/modules"
    plain.write("images/backend/Dockerfile", f"FROM {registry.address}/base/none:1\n")
    plain.write("images/frontend/Dockerfile", f"FROM {registry.address}/base/other:1\n")
    plain.commit()
    refused(
        plain.run("build", "--tag", "main"),
        1,
        "2 images failed",
        f"images/backend/Dockerfile:1: there is no base image {registry.address}/base/none:1",
        "images/frontend/Dockerfile:1",
    )


def test_a_base_image_by_tag_always_asks_the_builder(
    plain: Project, registry: RealRegistry
) -> None:
    plain.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/modules"
    assert plain.run("build").code == 0
    tag = next(tag for tag in registry.tags("modules/echo") if len(tag) == 70)
    base = f"{registry.address}/modules/echo:{tag}"
    plain.write("images/backend/Dockerfile", f'FROM {base}\nRUN ["/bin/busybox", "true"]\n')
    plain.commit()
    assert plain.run("build", "--tag", "main").code == 0
    again = plain.run("build", "--tag", "main")
    assert f"not pinned (images/backend/Dockerfile:1: {base} has no digest)" in again.err
    assert "image backend: reused" in again.err
    pinned = f"{registry.address}/modules/echo@{registry.digest('modules/echo', tag)}"
    plain.write("images/backend/Dockerfile", f"FROM {pinned}\n")
    plain.commit()
    assert plain.run("build", "--tag", "main").code == 0
    assert "nothing to do" in plain.run("build", "--tag", "main").err


def test_plan_and_status(plain: Project, registry: RealRegistry) -> None:
    plain.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/modules"
    first = plain.run("plan", "--exit-code")
    assert first.code == 2
    assert first.out.splitlines()[0] == "render    run    never ran"
    assert first.out.splitlines()[1] == "build     maybe  need runs (render)"
    assert plain.run("build").code == 0
    assert plain.run("plan", "--exit-code").code == 0
    value = json.loads(plain.run("status", "-o", "json", env={"WERF_REPO": ""}).out)
    assert value["settings"]["source"]["origin"] == "$MODULES_MODULE_SOURCE"
    assert value["version"] == {"value": "v1.0.0", "origin": "git tag at HEAD", "release": True}
    assert all(value["registry"].values())
    text = plain.run("status").out
    assert "source             " in text
    assert "$MODULES_MODULE_SOURCE" in text


def test_render(plain: Project) -> None:
    stale = plain.run("render", "--check")
    assert stale.code == 1
    assert "+image: backend" in stale.out
    assert "werf.yaml is not there" in stale.err
    done = plain.run("render")
    assert done.out.strip() == str(plain.directory / ".orchestrator/werf.yaml")
    assert plain.run("render", "--check").code == 0
    plain.write("images/third/Dockerfile", "FROM scratch\n")
    plain.commit()
    assert plain.run("render", "--check").code == 1


def test_secrets_stay_secret(plain: Project, registry: RealRegistry, tmp_path: Path) -> None:
    secret = "hunter2-hunter2"
    plain.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/modules"
    config = tmp_path / "docker"
    config.mkdir()
    auths = {registry.address: {"username": "u", "password": secret}}
    (config / "config.json").write_text(json.dumps({"auths": auths}))
    environ = {"DOCKER_CONFIG": str(config), "CI_JOB_TOKEN": secret, "WERF_REPO_TOKEN": secret}
    backend = (plain.directory / "images/backend/Dockerfile").read_text()
    plain.write("images/backend/Dockerfile", f'{backend}RUN ["/bin/busybox", "echo", "{secret}"]\n')
    plain.commit()
    plain.git("tag", "-f", "v1.0.0")
    done = plain.run("build", "--log-format", "json", env=environ)
    assert done.code == 0, done.err
    broken = plain.run("build", "--source", f"r.io/{secret}:x", env=environ)
    assert broken.code == 78
    written = done.out + done.err + broken.err
    for path in (plain.directory / ".orchestrator").rglob("*"):
        if path.is_file():
            written += path.read_text(errors="replace")
    assert secret not in written


def test_an_environment_of_another_encoding(plain: Project, registry: RealRegistry) -> None:
    plain.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/modules"
    environ = {"LC_ALL": "C", "WERF_ODD": os.fsdecode(b"\xff\n")}
    plain.write("docs/ä.md", "ä")
    plain.commit()
    done = plain.run("build", "--tag", "main", env=environ)
    assert done.code == 0, done.err
