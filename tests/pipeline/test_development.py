"""The development loop on a real registry: digests that move or stay, manifests, secrets, the watch."""

import base64
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.crds import wrong
from tests.harness import ROOT, Project, RealRegistry, kill_group

Crane = Callable[..., str]
STANDIN = f"{sys.executable} {ROOT / 'tests' / 'standins' / 'kubectl.py'}"
PASSWORD = "very-secret-pässword"


@pytest.fixture
def state(project: Project, tmp_path: Path) -> Path:
    """A cluster, by the stand-in for kubectl; what it holds and was called with lies here."""
    state = tmp_path / "cluster"
    state.mkdir()
    project.env |= {"ORCHESTRATOR_KUBECTL": STANDIN, "KUBECTL_STATE": str(state)}
    return state


def loaded(state: Path, digest: str, message: str = "Ready") -> None:
    """What the cluster's controller would write."""
    path = state / "objects" / "modulepulloverrides.deckhouse.io.echo"
    value = json.loads(path.read_text())
    value["status"] = {
        "imageDigest": digest,
        "message": message,
        "updatedAt": "2023-12-07T08:41:21Z",
    }
    path.write_text(json.dumps(value))


def test_two_builds_with_and_without_a_change(
    project: Project, registry: RealRegistry, crane: Crane
) -> None:
    reference = f"{registry.address}/modules/echo:main"
    done = project.run("dev")
    assert done.code == 0, done.err
    first = crane("digest", reference).strip()
    assert f"new: {reference} is {first}" in done.err
    # At a commit with the git tag v1.0.0 it is the branch that counts.
    assert "v1.0.0" not in registry.tags("modules/echo")
    assert wrong(done.out) == []
    assert yaml.safe_load(done.out)["spec"] == {"imageTag": "main", "scanInterval": "15s"}

    registry.forget()
    done = project.run("dev", "build", "-o", "json")
    assert done.code == 0, done.err
    assert registry.writes() == []
    assert f"unchanged: {reference} is {first} as before: the override will not reload" in done.err
    assert "orchestrator dev renew --apply" in done.err
    value = json.loads(done.out)
    assert (value["changed"], value["was"], value["digest"]) == (False, first, first)

    project.write("templates/configmap.yaml", "# changed, not committed\n")
    registry.forget()
    done = project.run("dev", "--manifest", "../override.yaml")
    second = crane("digest", reference).strip()
    assert second != first
    assert f"changed: {reference} was {first} and is {second}" in done.err
    assert done.out == f"{registry.address}/modules/echo@{second}\n"
    assert wrong((project.directory.parent / "override.yaml").read_text()) == []
    # The module image and its release image, by digest and by tag, and nothing else.
    put = sorted(path for method, path, _ in registry.writes() if method == "PUT")
    manifests = [path for path in put if "/blobs/" not in path]
    assert len(manifests) == 4 and f"/v2/modules/echo/manifests/{second}" in manifests
    assert {"/v2/modules/echo/manifests/main", "/v2/modules/echo/release/manifests/main"} < set(
        manifests
    )


@pytest.mark.parametrize(
    ("arguments", "environ", "tag"),
    [
        (["--tag", "feature/Ä"], {}, "feature-a-34fb68ca"),
        ([], {"GITHUB_REF_NAME": "333/merge", "GITHUB_REF_TYPE": "branch"}, "pr333"),
        ([], {"CI_MERGE_REQUEST_IID": "12", "CI_COMMIT_REF_NAME": "x"}, "mr12"),
    ],
)
def test_the_tag(project: Project, arguments: list[str], environ: dict[str, str], tag: str) -> None:
    done = project.run("dev", "override", *arguments, env=environ)
    assert done.code == 0, done.err
    assert f"  imageTag: {tag}" in done.out


def test_a_branch_becomes_a_tag(project: Project, registry: RealRegistry) -> None:
    project.git("checkout", "-q", "-b", "core/feature/ADD_SETTINGS")
    done = project.run("dev")
    assert done.code == 0, done.err
    assert "core-feature-add-settings-df80fdc3" in registry.tags("modules/echo")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--tag", "v1.0.0"], 78, "is a release"),
        (["--api", "v1alpha1"], 64, "--source-name"),
        (["--scan-interval", "soon"], 64, "not an interval"),
        (["--apply", "--kubectl", "no-such-kubectl"], 69, "no-such-kubectl is not on PATH"),
        (["--manifest", "-"], 64, "no regular file"),
        (["--manifest", "/dev/stdout"], 64, "no regular file"),
        (["statsu"], 64, "'statsu' is no verb of dev"),
        (["-C", ".", "status"], 64, "a verb comes first"),
    ],
)
def test_refused_before_anything_is_built(
    project: Project, registry: RealRegistry, arguments: list[str], code: int, says: str
) -> None:
    done = project.run("dev", *arguments)
    assert done.code == code and says in done.err
    assert "Traceback" not in done.err and not done.out
    assert registry.writes() == []


def test_a_name_and_a_tag_need_no_work_tree(tmp_path: Path) -> None:
    project = Project(tmp_path)
    done = project.run("dev", "override", "--name", "echo", "--tag", "pr333", "-o", "o.yaml")
    assert (done.code, done.out) == (0, ""), done.err
    assert "imageTag: pr333" in (tmp_path / "o.yaml").read_text()
    assert project.run("dev", "override", "--name", "echo").code == 78
    assert project.run("dev", "renew", "--name", "echo").out.splitlines()[-1] == (
        "kubectl annotate modulepulloverrides.deckhouse.io echo "
        "modules.deckhouse.io/renew=true renew="
    )


def test_the_cluster_follows(project: Project, registry: RealRegistry, state: Path) -> None:
    def status() -> dict[str, object]:
        done = project.run("dev", "status", "-o", "json")
        assert done.code == 0, done.err
        value: dict[str, object] = json.loads(done.out)
        return value

    assert status()["state"] == "override absent"
    done = project.run("dev", "--apply")
    assert done.code == 0, done.err
    assert "modulepulloverride.deckhouse.io/echo created" in done.err
    digest = registry.digest("modules/echo", "main")
    assert done.out == f"{registry.address}/modules/echo@{digest}\n"
    # The manifest is no argument, for all to see.
    assert [json.loads(line) for line in (state / "calls").read_text().splitlines()][-1] == [
        *("apply", "-f", "-")
    ]

    assert status()["state"] == "cluster behind"
    loaded(state, digest)
    assert status()["state"] == "in sync"
    project.write("templates/configmap.yaml", "# changed\n")
    assert project.run("dev", "--apply").code == 0
    found = status()
    assert found["state"] == "cluster behind"
    assert found["registry"] == registry.digest("modules/echo", "main") != digest

    loaded(state, digest, "The module does not have an active source")
    done = project.run("dev", "status")
    assert "ModuleConfig echo, spec.source" in done.out and digest in done.out
    assert "this work tree builds" not in done.out
    assert "this work tree builds pr333" in project.run("dev", "status", "--tag", "pr333").out
    registry.delete("modules/echo", registry.digest("modules/echo", "main"))
    assert status()["state"] == "image absent"

    assert project.run("dev", "renew", "--apply").code == 0
    override = status()["override"]
    assert isinstance(override, dict) and override["renewing"] is True


@pytest.mark.parametrize(
    ("failure", "code"),
    [("forbidden", 1), ("no-crd", 1), ("unauthorized", 1), ("refused", 75), ("no-config", 78)],
)
def test_a_cluster_that_fails(
    project: Project, state: Path, failure: str, code: int, registry: RealRegistry
) -> None:
    env = {"KUBECTL_FAILS": failure}
    for verb in (["override", "--apply"], ["renew", "--apply"], ["status"]):
        done = project.run("dev", *verb, env=env)
        assert done.code == code, done.err
        assert "\n-> " in done.err and not done.out


def test_no_secret_but_where_it_was_asked_for(
    project: Project, state: Path, tmp_path: Path
) -> None:
    pair = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()
    others = base64.b64encode(b"other:other-secret").decode()
    config = {
        "auths": {"registry.example.com": {"auth": pair}, "other.example.com": {"auth": others}}
    }
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(json.dumps(config))
    project.env |= {
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "MODULES_MODULE_SOURCE": "registry.example.com/deckhouse/modules",
    }
    piped = project.run("dev", "source", "test")
    assert piped.code == 0 and wrong(piped.out) == []
    made = yaml.safe_load(piped.out)["spec"]["registry"]["dockerCfg"]
    assert json.loads(base64.b64decode(made)) == {"auths": {"registry.example.com": {"auth": pair}}}
    secrets = (PASSWORD, pair, made, "other-secret", others)

    file = tmp_path / "source.yaml"
    quiet = project.run("dev", "source", "test", "-o", str(file))
    assert quiet.code == 0 and file.read_text() == piped.out
    assert file.stat().st_mode & 0o777 == 0o600
    applied = project.run("dev", "source", "test", "--apply")
    assert applied.code == 0, applied.err
    refused = project.run("dev", "source", "test", "--apply", env={"KUBECTL_FAILS": "invalid"})
    assert refused.code == 1 and "***" in refused.err
    code, shown = on_terminal(project, "dev", "source", "test")
    assert code == 64 and "not printed to a terminal" in shown
    said = [piped.err, *(d.out + d.err for d in (quiet, applied, refused)), shown]
    said += [(state / "calls").read_text()]
    said += [p.read_text() for p in (project.directory / ".orchestrator").rglob("*") if p.is_file()]
    assert not [secret for secret in secrets for text in said if secret in text]

    code, shown = on_terminal(project, "dev", "source", "test", "--show-secrets")
    assert code == 0 and made in shown


def on_terminal(project: Project, *arguments: str) -> tuple[int, str]:
    """Exit code and all that a terminal shows."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *arguments],
        cwd=project.directory,
        env={**project.base_env(), **project.env},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        shown += data
    os.close(ours)
    return child.wait(), shown.decode()


def test_a_source_that_no_cluster_reads(project: Project, tmp_path: Path) -> None:
    done = project.run("dev", "source", "test")
    assert done.code == 0 and "this machine only" in done.err and "anonymously" in done.err
    assert "scheme: HTTP\n" in done.out
    project.env["MODULES_MODULE_SOURCE"] = ""
    assert project.run("dev", "source", "test").code == 78
    done = project.run("dev", "source", "test", "--source", "r.io/m", "--ca-file", "no.pem")
    assert done.code == 78 and "no.pem" in done.err


class Watch:
    """A running `dev --watch` and what it has said on stderr so far."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self.child = child
        self.lines: list[str] = []
        self._more = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.child.stderr
        for line in self.child.stderr:
            with self._more:
                self.lines.append(line)
                self._more.notify_all()

    def count(self, pattern: str) -> int:
        return sum(bool(re.search(pattern, line)) for line in self.lines)

    def until(self, pattern: str, times: int) -> None:
        with self._more:
            found = self._more.wait_for(lambda: self.count(pattern) >= times, timeout=60)
        assert found, "".join(self.lines)


@contextmanager
def watching(project: Project, *arguments: str) -> Iterator[Watch]:
    child = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "dev", "--watch", *arguments],
        cwd=project.directory,
        env={**project.base_env(), **project.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Watch(child)
    finally:
        if child.poll() is None:
            kill_group(child)
        child.communicate()


def test_watch(project: Project, registry: RealRegistry, state: Path) -> None:
    project.write(".gitignore", "*.swp\n")
    project.commit("ignore")
    good = (project.directory / "module.yaml").read_text()
    with watching(project, "--apply") as watch:
        watch.until("watching; stop", 1)
        first = registry.digest("modules/echo", "main")

        project.write("templates/configmap.yaml", "# one\n")
        watch.until("watching; stop", 2)
        second = registry.digest("modules/echo", "main")
        assert second != first and watch.count(f"changed: .* is {second}") == 1

        # A build that fails is survived, and mending the file builds again, to the same image.
        project.write("module.yaml", "name: [\n")
        watch.until("the next change builds again", 1)
        project.write("module.yaml", good)
        watch.until("watching; stop", 3)
        assert watch.count(f"unchanged: .* {second}") == 1

        # Neither what git ignores nor what says the same again builds anything.
        project.write("templates/.x.swp", "x")
        project.write(".orchestrator/x", "x")
        project.write("templates/configmap.yaml", "# one\n")
        project.write("templates/configmap.yaml", "# two\n")
        watch.until("watching; stop", 4)
        assert watch.count("^(new|changed|unchanged): ") == 4

        watch.child.send_signal(signal.SIGINT)
        assert watch.child.wait(timeout=20) == 0
        watch.until("stopped watching", 1)
        assert watch.child.stdout
        assert (
            watch.child.stdout.read()
            .splitlines()[-1]
            .endswith(registry.digest("modules/echo", "main"))
        )
    # The override is the same all along, so it was handed over once.
    calls = [json.loads(line) for line in (state / "calls").read_text().splitlines()]
    assert calls == [["apply", "-f", "-"]]
    assert project.run("dev").err.count("unchanged") > 1


def slow_down(project: Project, directory: Path) -> None:
    """Each image takes two seconds more."""
    program = shutil.which("buildah")
    assert program
    directory.mkdir()
    wrapper = directory / "buildah"
    wrapper.write_text(f'#!/bin/sh\n[ "$1" != build ] || sleep 2\nexec {program} "$@"\n')
    wrapper.chmod(0o755)
    project.env["PATH"] = f"{directory}{os.pathsep}{os.environ['PATH']}"


def test_changes_during_a_build_build_once_more(project: Project, tmp_path: Path) -> None:
    slow_down(project, tmp_path / "slow")
    with watching(project) as watch:
        watch.until("^build +image .*: building", 1)
        for number in range(5):
            project.write("templates/configmap.yaml", f"# {number}\n")
        watch.until("watching; stop", 2)
        watch.child.send_signal(signal.SIGTERM)
        assert watch.child.wait(timeout=20) == 143
        assert watch.count("watching; stop") == 2
    assert "unchanged:" in project.run("dev").err


def test_a_signal_during_a_build_stops_it(project: Project, tmp_path: Path) -> None:
    slow_down(project, tmp_path / "slow")
    with watching(project) as watch:
        watch.until("^build +image .*: building", 1)
        watch.child.send_signal(signal.SIGINT)
        assert watch.child.wait(timeout=40) == 130
        watch.until("stopped by SIGINT", 1)
    assert project.run("dev").code == 0
