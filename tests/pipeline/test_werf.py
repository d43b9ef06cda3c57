"""The werf port: against a stand-in that behaves as recorded, and against a real werf where there is one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness import ROOT, Project, RealRegistry, free_port, make_project

STANDIN = ROOT / "tests" / "standins" / "werf.py"


@pytest.fixture
def werf(project: Project, tmp_path: Path) -> Project:
    """The echo module, to be built by the stand-in."""
    tools = tmp_path / "bin"
    tools.mkdir()
    program = tools / "werf"
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\nexec {sys.executable} {STANDIN} "$@"\n'
    )
    program.chmod(0o755)
    project.env["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"
    project.env["ORCHESTRATOR_BUILDER"] = "auto"
    project.env["ORCHESTRATOR_RETRIES"] = "0"
    return project


def calls(tmp_path: Path) -> list[str]:
    path = tmp_path / "calls"
    return [line for line in path.read_text().splitlines() if line.startswith("build ")]


def test_a_build(werf: Project, registry: RealRegistry, tmp_path: Path) -> None:
    done = werf.run("build")
    assert done.code == 0, done.err
    assert "image backend: built" in done.err
    (call,) = calls(tmp_path)
    assert call == (
        f"build --config .orchestrator/werf.yaml --repo {registry.address}/modules/echo "
        f"--save-build-report --build-report-path {werf.directory}/.orchestrator/werf-report.json "
        "--log-color-mode=off --log-pretty=false --parallel-tasks-limit=5 "
        "--synchronization=:local --insecure-registry"
    )
    again = werf.run("build")
    assert "nothing to do" in again.err
    assert len(calls(tmp_path)) == 1


def test_a_wiped_journal_runs_werf_which_finds_its_stages(
    werf: Project, registry: RealRegistry
) -> None:
    first = werf.run("build")
    shutil.rmtree(werf.directory / ".orchestrator")
    registry.forget()
    done = werf.run("build")
    assert done.last == first.last
    assert "image backend: reused" in done.err
    assert registry.writes() == []


def test_what_ci_and_the_user_set_is_respected(werf: Project, tmp_path: Path) -> None:
    environ = {
        "CI": "true",
        "WERF_SYNCHRONIZATION": ":local",
        "WERF_INSECURE_REGISTRY": "1",
        "WERF_SECONDARY_REPO_1": "r.example.com/other",
    }
    done = werf.run("build", "--", "--log-verbose", env=environ)
    assert done.code == 0, done.err
    (call,) = calls(tmp_path)
    assert call.endswith("--parallel-tasks-limit=5 --disable-auto-host-cleanup --log-verbose")


def test_flags_of_ours_are_refused_behind_the_dashes(werf: Project) -> None:
    done = werf.run("build", "--", "--repo", "r.example.com/x")
    assert done.code == 64
    assert "--repo is given to werf by orchestrator itself" in done.err


def test_a_stages_repository_of_its_own(werf: Project, registry: RealRegistry) -> None:
    stages = f"{registry.address}/stages/echo"
    done = werf.run("build", "--repo", stages)
    assert done.code == 0, done.err
    assert len(registry.tags("stages/echo")) == 2
    digests = json.loads((werf.directory / ".orchestrator/images_digests.json").read_text())
    assert sorted(set(registry.tags("modules/echo").values()) & set(digests.values())) == sorted(
        digests.values()
    )


def test_a_dirty_tree_is_built_in_development_and_refused_for_a_release(
    werf: Project, tmp_path: Path
) -> None:
    werf.write("images/frontend/rootfs/www/index.html", "changed")
    refused = werf.run("build")
    assert refused.code == 78
    assert "images/frontend/rootfs/www/index.html: not committed" in refused.err
    assert not (tmp_path / "calls").exists() or not calls(tmp_path)
    done = werf.run("build", "--tag", "feature/x")
    assert done.code == 0, done.err
    assert calls(tmp_path)[0].endswith("--insecure-registry --dev")
    assert "feature-x-8339ecf4" in done.err


def test_a_missing_giterminism_file_is_told_with_its_content(werf: Project) -> None:
    werf.git("rm", "-q", "werf-giterminism.yaml")
    werf.commit()
    done = werf.run("build", "--tag", "main")
    assert done.code == 78
    assert "allowUncommitted: true" in done.err


def test_a_failing_instruction(werf: Project, registry: RealRegistry) -> None:
    werf.write("images/backend/Dockerfile", "FROM scratch\nRUN exit 7\n")
    werf.commit()
    report = werf.directory / ".orchestrator" / "werf-report.json"
    done = werf.run("build", "--tag", "main")
    assert done.code == 1
    assert "image backend at stage dockerfile: a build instruction failed" in done.err
    assert "| STEP 2/2: RUN exit 7" in done.err
    assert "resume: orchestrator build --tag main" in done.err
    assert not report.exists()
    assert not [tag for tag in registry.tags("modules/echo") if "-" not in tag]
    werf.write("images/backend/Dockerfile", "FROM scratch\n")
    mended = werf.run("build", "--tag", "main")
    assert mended.code == 0, mended.err
    assert "image frontend: reused" in mended.err


def test_a_stale_report_is_not_taken_for_a_new_one(werf: Project) -> None:
    assert werf.run("build").code == 0
    tools = Path(werf.env["PATH"].partition(os.pathsep)[0])
    (tools / "werf").write_text("#!/bin/sh\n[ $1 = version ] && echo v2.62.2\nexit 0\n")
    done = werf.run("build", "--force", "build")
    assert done.code == 1
    assert "wrote no report" in done.err


@pytest.mark.parametrize("version", ["v1.2.300", "nonsense"])
def test_a_werf_that_is_too_old_or_none(werf: Project, version: str) -> None:
    tools = Path(werf.env["PATH"].partition(os.pathsep)[0])
    (tools / "werf").write_text(f"#!/bin/sh\necho {version}\n")
    done = werf.run("build")
    assert done.code == 69
    assert "install werf 2" in done.err


def test_the_registry_is_down(werf: Project) -> None:
    werf.env["MODULES_MODULE_SOURCE"] = f"127.0.0.1:{free_port()}/modules"
    done = werf.run("build", "--tag", "main")
    assert done.code == 75
    assert "Traceback" not in done.err


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_reach_werf_and_leave_a_valid_journal(
    werf: Project, signum: signal.Signals, code: int
) -> None:
    werf.write("images/backend/Dockerfile", "FROM scratch\nRUN sleep 30\n")
    werf.commit()
    with subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "build", "--tag", "main"],
        cwd=werf.directory,
        env={**werf.base_env(), **werf.env},
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        log = werf.directory / ".orchestrator" / "build.log"
        deadline = time.monotonic() + 20
        while not (log.exists() and "RUN sleep" in log.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        child.send_signal(signum)
        _, err = child.communicate(timeout=20)
    assert child.returncode == code
    assert "resume: orchestrator build --tag main" in err
    assert f"Signal: {'interrupt' if code == 130 else 'terminated'}" in log.read_text()
    assert '"error":"interrupted","event":"failed"' in werf.journal().read_text()
    werf.write("images/backend/Dockerfile", "FROM scratch\n")
    done = werf.run("build", "--tag", "main")
    assert done.code == 0, done.err
    assert "build     runs: failed before" in done.err


@pytest.mark.werf
def test_the_real_werf(tmp_path: Path, registry: RealRegistry) -> None:
    if shutil.which("werf") is None:
        pytest.skip("no werf on PATH")
    project = make_project(tmp_path / "echo")
    project.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/modules"
    project.env["WERF_BUILDAH_MODE"] = os.environ.get("WERF_BUILDAH_MODE", "native-chroot")
    done = project.run("build", "--builder", "werf", timeout=600)
    assert done.code == 0, done.err
    registry.forget()
    again = project.run("build", "--builder", "werf")
    assert again.last == done.last
    assert registry.writes() == []
    shutil.rmtree(project.directory / ".orchestrator")
    third = project.run("build", "--builder", "werf", timeout=600)
    assert third.last == done.last


INDEX = """
import json, sys
from pathlib import Path
from orchestrator.model import Reference
from orchestrator.registry.manifest import OCI_INDEX
from tests.unit.registry.conftest import connect
report = Path(sys.argv[1])
value = json.loads(report.read_text())
record = value["Images"]["backend"]
place = Reference.parse(f"{record['DockerRepo']}@{record['DockerImageDigest']}")
registry = connect()
child = registry.head(place)
index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child.to_json()]}
tag = place.repository.tagged(record["DockerTag"][:56])
record["DockerImageDigest"] = registry.put_manifest(tag, json.dumps(index).encode(), OCI_INDEX)
record["DockerTag"], record["TargetPlatform"] = tag.tag, ""
record["Stages"] = [{"Name": f"dockerfile ({name})"} for name in ("linux/amd64", "linux/arm64")]
report.write_text(json.dumps(value))
"""


def test_an_index_of_platforms_is_refused_before_anything_names_it(
    werf: Project, registry: RealRegistry, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "werf"
    (tmp_path / "index.py").write_text(INDEX)
    program.write_text(
        f'#!/bin/sh\n{sys.executable} {STANDIN} "$@" || exit $?\n[ "$1" = build ] || exit 0\n'
        f"PYTHONPATH={ROOT} exec {sys.executable} {tmp_path}/index.py .orchestrator/werf-report.json\n"
    )
    done = werf.run("build")
    assert done.code == 1
    assert "image backend is an index of several platforms (linux/amd64, linux/arm64)" in done.err
    assert "WERF_PLATFORM" in done.err
    names = json.loads(registry.get("/v2/modules/echo/tags/list"))["tags"]
    assert names
    assert "v1.0.0" not in names
    assert registry.tags("modules") == registry.tags("modules/echo/release") == {}
