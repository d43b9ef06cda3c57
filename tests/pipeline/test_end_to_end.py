"""The main job on a real registry with the real embedded builder, read back by crane."""

import io
import json
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import Project, RealRegistry, make_project

Crane = Callable[..., str]


def built(project: Project, *arguments: str) -> str:
    done = project.run("build", *arguments)
    assert done.code == 0, done.err
    return done.last


def test_crane_reads_what_the_user_documents_say(
    project: Project, registry: RealRegistry, crane: Crane
) -> None:
    last = built(project)
    source = f"{registry.address}/modules"
    assert last == f"{source}/echo@{registry.digest('modules/echo', 'v1.0.0')}"

    assert crane("ls", source).split() == ["echo"]
    tags = crane("ls", f"{source}/echo").split()
    content = [tag for tag in tags if tag != "v1.0.0"]
    assert "v1.0.0" in tags and len(content) == 2
    assert all(len(tag) == 70 and tag[56] == "-" for tag in content)
    assert crane("ls", f"{source}/echo/release").split() == ["v1.0.0"]

    files = _files(f"{source}/echo:v1.0.0")
    assert {"module.yaml", "Chart.yaml", "templates", "images_digests.json"} <= set(files)
    assert not any(name.startswith(("./", "/")) or ".." in name for name in files)
    text = _files(f"{source}/echo:v1.0.0")["images_digests.json"].decode()
    digests = json.loads(text)
    assert sorted(digests) == ["backend", "frontend"]
    assert text == json.dumps(digests, indent=2, sort_keys=True) + "\n"
    for digest in digests.values():
        crane("validate", "--remote", f"{source}/echo@{digest}")
    crane("validate", "--remote", f"{source}/echo:v1.0.0")
    crane("validate", "--remote", f"{source}/echo/release:v1.0.0")

    release = _files(f"{source}/echo/release:v1.0.0")
    assert release["version.json"] == b'{"version":"v1.0.0"}'
    assert release["module.yaml"] == (project.directory / "module.yaml").read_bytes()
    assert release["module.yaml"] == _files(f"{source}/echo:v1.0.0")["module.yaml"]


def _files(reference: str) -> dict[str, bytes]:
    """Name -> content (empty for directories) of a flattened image, by crane export."""
    program = shutil.which("crane")
    assert program
    done = subprocess.run([program, "export", reference, "-"], capture_output=True, check=True)
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isfile() else None
            found[member.name] = stream.read() if stream else b""
    return found


def test_the_second_build_does_nothing(project: Project, registry: RealRegistry) -> None:
    first = built(project)
    registry.forget()
    log = (project.directory / ".orchestrator" / "build.log").stat().st_mtime_ns
    done = project.run("build")
    assert done.code == 0 and done.last == first
    assert "nothing to do" in done.err
    assert registry.writes() == []
    assert (project.directory / ".orchestrator" / "build.log").stat().st_mtime_ns == log


def test_a_wiped_journal_writes_nothing_to_the_registry(
    project: Project, registry: RealRegistry
) -> None:
    first = built(project)
    tree = registry.tree("modules", "echo")
    shutil.rmtree(project.directory / ".orchestrator")
    registry.forget()
    done = project.run("build")
    assert done.code == 0 and done.last == first
    assert "never ran" in done.err
    assert registry.writes() == []
    assert registry.tree("modules", "echo") == tree


def test_two_clones_give_the_same_digests(tmp_path: Path, registry: RealRegistry) -> None:
    origin = make_project(tmp_path / "origin")
    digests = []
    for number, (mask, zone) in enumerate((("022", "UTC"), ("077", "Asia/Kathmandu"))):
        directory = tmp_path / f"place-{number}" / ("deeper" * number) / "clone"
        directory.parent.mkdir(parents=True)
        wrapped = ("sh", "-c", f'umask {mask}; exec "$@"', "sh")
        subprocess.run(
            [*wrapped, "git", "clone", "-q", str(origin.directory), str(directory)], check=True
        )
        clone = Project(directory)
        done = clone.run(
            "build",
            "--source",
            f"{registry.address}/place-{number}",
            "--builder",
            "buildah",
            env={"TZ": zone},
            wrap=wrapped,
        )
        assert done.code == 0, done.err
        digests.append(registry.tree(f"place-{number}", "echo"))
    assert digests[0] == digests[1]
    assert set(digests[0]["module"]) > {"v1.0.0"}


@pytest.mark.parametrize(
    ("repository", "tag", "stage"),
    [
        ("modules/echo", "v1.0.0", "module"),
        ("modules/echo/release", "v1.0.0", "release"),
        ("modules", "echo", "register"),
    ],
)
def test_a_deleted_tag_is_put_back(
    project: Project, registry: RealRegistry, repository: str, tag: str, stage: str
) -> None:
    built(project)
    tree = registry.tree("modules", "echo")
    registry.delete(repository, registry.digest(repository, tag))
    planned = json.loads(project.run("plan", "-o", "json").out)
    runs = [entry for entry in planned["stages"] if entry["action"] == "run"]
    assert [(entry["stage"], entry["reason"]) for entry in runs] == [(stage, "probe failed")]
    done = project.run("build")
    assert done.code == 0, done.err
    assert f"{stage:<9} runs: probe failed" in done.err and "is gone" in done.err
    assert registry.tree("modules", "echo") == tree


def test_a_deleted_application_image_is_built_again(
    project: Project, registry: RealRegistry
) -> None:
    built(project)
    tree = registry.tree("modules", "echo")
    image = json.loads((project.directory / ".orchestrator/images_digests.json").read_text())
    registry.delete("modules/echo", image["backend"])
    done = project.run("build")
    assert done.code == 0, done.err
    assert "build     runs: probe failed (image backend" in done.err
    assert registry.tree("modules", "echo") == tree


def test_a_changed_version_runs_only_what_it_must(project: Project, registry: RealRegistry) -> None:
    built(project)
    project.git("tag", "-d", "v1.0.0")
    project.git("tag", "v1.0.1")
    done = project.run("build")
    assert done.code == 0, done.err
    for stage, text in {
        "render": "unchanged",
        "build": "unchanged",
        "digests": "unchanged",
        "module": "runs: input changed (version)",
        "release": "runs: input changed (version)",
        "register": "unchanged",
        "verify": "runs: need changed (module, release)",
    }.items():
        assert f"{stage:<9} {text}" in done.err
    assert set(registry.tags("modules/echo/release")) == {"v1.0.0", "v1.0.1"}


def test_a_changed_document_does_not_build_images(project: Project, registry: RealRegistry) -> None:
    first = project.run("build", "--tag", "main")
    assert first.code == 0, first.err
    project.write("docs/README.md", "# Changed\n")
    done = project.run("build", "--tag", "main")
    assert done.code == 0, done.err
    assert "build     unchanged" in done.err
    assert "module    runs: input changed (files)" in done.err
    assert "replaced" in done.err
    assert done.last != first.last


def test_an_edited_journal_is_set_aside(project: Project, registry: RealRegistry) -> None:
    first = built(project)
    journal = project.journal()
    text = journal.read_text()
    digest = first.rpartition("@")[2]
    journal.write_text(text.replace(digest, "sha256:" + "0" * 64))
    registry.forget()
    done = project.run("build")
    assert done.code == 0 and done.last == first
    assert "set aside" in done.err
    assert journal.with_suffix(".bad").exists()
    assert registry.writes() == []


def test_a_changed_output_is_written_again(project: Project, registry: RealRegistry) -> None:
    built(project)
    registry.forget()
    for name, stage in (("werf.yaml", "render"), ("images_digests.json", "digests")):
        path = project.directory / ".orchestrator" / name
        there = path.read_bytes()
        path.write_bytes(b"edited")
        done = project.run("build")
        assert f"{stage:<9} runs: output missing (.orchestrator/{name} is not what" in done.err
        assert path.read_bytes() == there
    assert registry.writes() == []


def test_a_released_version_is_immutable(project: Project, registry: RealRegistry) -> None:
    built(project)
    tree = registry.tree("modules", "echo")
    project.write("docs/README.md", "# Other\n")
    project.commit()
    project.git("tag", "-f", "v1.0.0")
    done = project.run("build")
    assert done.code == 73
    assert "is published from commit" in done.err and "resume: orchestrator build" in done.err
    assert registry.tree("modules", "echo") == tree
    forced = project.run("build", "--force")
    assert forced.code == 0, forced.err
    assert "replaced" in forced.err
    assert registry.tree("modules", "echo") != tree


def test_an_unfinished_version_is_finished_or_replaced(
    project: Project, registry: RealRegistry
) -> None:
    assert project.run("build", "--until", "module").code == 0
    module = registry.digest("modules/echo", "v1.0.0")
    assert registry.tags("modules/echo/release") == {}
    shutil.rmtree(project.directory / ".orchestrator")
    assert project.run("build").code == 0
    assert registry.digest("modules/echo", "v1.0.0") == module

    project.git("tag", "v1.1.0")
    assert project.run("build", "--until", "module", "--tag", "v1.1.0").code == 0
    before = registry.digest("modules/echo", "v1.1.0")
    project.write("docs/README.md", "# Other\n")
    project.commit()
    done = project.run("build", "--tag", "v1.1.0")
    assert done.code == 0, done.err
    assert "was never released and was made from something else" in done.err
    assert f"@{before} by sha256:" in done.err


def test_the_local_registry_is_the_default(tmp_path: Path, crane: Crane) -> None:
    project = make_project(tmp_path / "echo")
    first = project.run("build", "--builder", "buildah")
    assert first.code == 0, first.err
    assert first.last.startswith("127.0.0.1:") and "/modules/echo@sha256:" in first.last
    again = project.run("build", "--builder", "buildah")
    assert again.last == first.last and "nothing to do" in again.err
    with subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "registry", "serve"],
        cwd=project.directory,
        env=project.base_env(),
        stdout=subprocess.PIPE,
        text=True,
    ) as serving:
        try:
            assert serving.stdout
            source = serving.stdout.readline().strip()
            assert crane("ls", source).split() == ["echo"]
            beside = project.run("build", "--builder", "buildah")
            assert beside.code == 0 and "nothing to do" in beside.err
        finally:
            serving.terminate()
        assert serving.wait(20) == 143


def test_verify_reads_back_what_is_published(project: Project, registry: RealRegistry) -> None:
    last = built(project)
    reference = f"{registry.address}/modules/echo:v1.0.0"
    done = project.run("verify", "--deep", reference)
    assert done.code == 0, done.err
    assert "0 errors, 0 warnings; 2 images, 8 blobs" in done.out
    value = json.loads(project.run("verify", "-o", "json", reference).out)
    assert value["ok"]
    assert value["digest"] == last.rpartition("@")[2]
    image = json.loads((project.directory / ".orchestrator/images_digests.json").read_text())
    registry.delete("modules/echo", image["frontend"])
    broken = project.run("verify", "-o", "junit", reference)
    assert broken.code == 1
    assert 'failures="1"' in broken.out
    assert project.run("verify", "nonsense").code == 78


def test_a_config_of_ones_own_is_not_passed_over_in_silence(project: Project) -> None:
    project.write("werf.yaml", "project: own\nconfigVersion: 1\n")
    project.commit()
    refused = project.run("build", "--tag", "main")
    assert refused.code == 78
    assert "cannot build from the module's own werf.yaml" in refused.err
    done = project.run("build", "--tag", "main", "--mode", "generate")
    assert done.code == 0, done.err
    assert "warning: werf.yaml is not read" in done.err


def test_the_report_is_written(project: Project) -> None:
    built(project)
    report = json.loads((project.directory / ".orchestrator/report.json").read_text())
    assert report["schema"] == 1
    assert [image["name"] for image in report["images"]] == ["backend", "frontend"]
    werf = json.loads((project.directory / "images_tags_werf.json").read_text())
    assert set(werf["Images"]) == {"backend", "frontend", "bundle", "release-channel-version"}
    bundle = werf["Images"]["bundle"]
    assert bundle["DockerImageName"].endswith("/modules/echo:v1.0.0")
    data = json.loads(project.run("build", "-o", "json").out)
    assert data["image"]["digest"] == report["image"]["digest"]


@pytest.mark.parametrize("images", [1, 3])
def test_one_signal_is_enough_while_a_registry_is_silent(
    project: Project, registry: RealRegistry, images: int
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        base = f"127.0.0.1:{silent.getsockname()[1]}/base/image:1"
        for number in range(images):
            project.write(f"images/waits{number}/Dockerfile", f"FROM {base}\n")
        project.commit()
        with subprocess.Popen(
            [sys.executable, "-m", "orchestrator", "build", "--tag", "main"],
            cwd=project.directory,
            env={**project.base_env(), **project.env},
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            silent.settimeout(60)
            asked = [silent.accept()[0] for _ in range(images)]
            started = time.monotonic()
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=60)
        for connection in asked:
            connection.close()
    assert time.monotonic() - started < 15
    assert child.returncode == 130
    assert "stopped by SIGINT" in err
    assert "Traceback" not in err
    assert "Fatal" not in err
