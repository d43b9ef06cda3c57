"""Real images by the real buildah into a real registry."""

import base64
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator import git
from orchestrator.builders import BuildReport, BuildRequest
from orchestrator.builders.buildah import Buildah
from orchestrator.errors import (
    BuildFailed,
    ConfigError,
    OrchestratorError,
    ToolMissing,
    TransientBuildError,
)
from orchestrator.model import Digest, Reference, Repository
from orchestrator.process import Command, LocalRunner, Outcome
from orchestrator.registry.copy import copy
from tests.harness import Project, RealRegistry, make_project, real_registry
from tests.unit.registry.conftest import connect

SLEEPING = b"/bin/busybox\0sleep\x0097531\0"
BUSYBOX = "FROM scratch\nCOPY busybox /bin/busybox\n"
# The bcrypt hash of pass-word.
HTPASSWD = "user:$2b$04$aYTVlEZ0LoWit25WGeFYIe6S2PpK.V5OlbQ5euTrtKiQrrsrOf2fi\n"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with real_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


class Work:
    """A module in git, and builds of it into a repository of the test's own."""

    def __init__(self, directory: Path, repository: Repository) -> None:
        self.project = Project(directory)
        self.repository = repository
        self.events: list[tuple[str, str]] = []
        directory.mkdir(parents=True)
        self.project.git("init", "-q", "-b", "main")

    def image(self, name: str, dockerfile: str, **files: str) -> None:
        self.project.write(f"images/{name}/Dockerfile", dockerfile)
        for path, text in files.items():
            self.project.write(f"images/{name}/{path}", text)
        if "busybox" in dockerfile:
            shutil.copy("/bin/busybox", self.project.directory / "images" / name)

    def request(self, config: str | None = None, **more: Any) -> BuildRequest:
        directory = self.project.directory
        self.project.commit()
        runner = LocalRunner(os.environ)
        snapshot = git.snapshot(runner, directory, with_dirty=False)
        work = directory / ".orchestrator"
        work.mkdir(exist_ok=True)
        (work / ".gitignore").write_text("*\n")
        path = work / "werf.yaml"
        path.write_text(config if config is not None else self.config())
        fields = {
            "root": directory,
            "config": path,
            "repository": self.repository,
            "work": work,
            "log": work / "build.log",
            "tree": git.Tree(runner, directory, snapshot.tree),
        }
        return BuildRequest(**(fields | more))

    def config(self, extra: str = "") -> str:
        names = sorted(path.name for path in (self.project.directory / "images").iterdir())
        return "project: x\nconfigVersion: 1\n" + "".join(
            f"---\nimage: {name}\ncontext: images/{name}\ndockerfile: Dockerfile\n{extra}"
            for name in names
        )

    def build(
        self,
        config: str | None = None,
        *,
        runner: type[LocalRunner] = LocalRunner,
        machine: Mapping[str, str] | None = None,
        **more: Any,
    ) -> BuildReport:
        """`machine` is added to the environment that programs are run in."""
        self.events.clear()
        request = self.request(config, **more)
        registry = connect(request.docker_config)
        builder = Buildah(runner({**os.environ, **(machine or {})}), registry)
        builder.check(request)
        return builder.build(request, self.tell)

    def tell(self, _event: str, /, **fields: Any) -> None:
        self.events.append((fields["name"], fields["state"]))

    def tag(self, **more: Any) -> str:
        (image,) = self.build(**more).images
        return str(image.reference.tag)[:56]


@pytest.fixture
def work(tmp_path: Path, real: RealRegistry, request: pytest.FixtureRequest) -> Work:
    path = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return Work(tmp_path / "module", Repository.parse(f"{real.address}/{path}"))


def contents(reference: Reference) -> tuple[dict[str, Any], dict[str, tuple[int, str]]]:
    """The config of an image, and path -> mode and text (a link's target) of its last layer."""
    import io
    import tarfile

    registry = connect()
    manifest = registry.manifest(reference)
    assert manifest
    config = json.loads(registry.read_blob(reference.repository, manifest.config.digest, 1 << 20))
    layer = registry.read_blob(reference.repository, manifest.layers[-1].digest, 1 << 26)
    found = {}
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        for member in archive:
            assert (member.mtime, member.uid, member.gid) == (0, 0, 0), member.name
            stream = archive.extractfile(member) if member.isreg() else None
            data = stream.read() if stream else member.linkname.encode()
            found[member.name.rstrip("/")] = (member.mode & 0o777, data[:99].decode("latin-1"))
    return config, found


def storage(directory: Path, driver: str) -> dict[str, str]:
    """The environment of another machine: buildah keeps its images elsewhere."""
    path = directory / "storage.conf"
    path.write_text(
        f'[storage]\ndriver = "{driver}"\n'
        f'graphroot = "{directory}/graph"\nrunroot = "{directory}/run"\n'
    )
    return {"CONTAINERS_STORAGE_CONF": str(path)}


def test_a_build_and_a_second_one(work: Work, real: RealRegistry) -> None:
    work.image("b", BUSYBOX + 'RUN ["/bin/busybox", "echo", "hello there"]\n')
    work.image("a", "FROM scratch\nCOPY x /\n", x="1")
    first = work.build()
    assert [image.name for image in first.images] == ["a", "b"] and first.builder == "buildah"
    assert all(image.rebuilt and image.final and image.seconds > 0 for image in first.images)
    assert sorted(work.events) == [(n, s) for n in "ab" for s in ("building", "built")]
    tags = real.tags(work.repository.path)
    for image in first.images:
        assert re.fullmatch(r"[0-9a-f]{56}-\d{13}", str(image.reference.tag))
        assert tags[str(image.reference.tag)] == image.reference.digest
    directory = work.project.directory / ".orchestrator"
    assert "b | hello there" in (directory / "build.log").read_text()
    assert list((directory / "tmp").iterdir()) == []

    real.forget()
    again = work.build()
    assert [image.reference for image in again.images] == [i.reference for i in first.images]
    assert not any(image.rebuilt for image in again.images)
    assert sorted(work.events) == [("a", "reused"), ("b", "reused")]
    assert real.writes() == []


def test_nothing_of_ours_stays_in_the_storage(work: Work, tmp_path: Path) -> None:
    work.image("a", BUSYBOX + "FROM 0\nCOPY busybox /again\n")
    work.image("bad", BUSYBOX + 'RUN ["/bin/busybox", "false"]\n')
    machine = storage(tmp_path, "vfs")
    with pytest.raises(BuildFailed, match="image bad"):
        work.build(machine=machine)
    for what in ("images", "containers"):
        done = subprocess.run(
            ["buildah", what, "--all", "--quiet"],
            env={**os.environ, **machine},
            capture_output=True,
            check=True,
        )
        assert done.stdout == b""


def test_two_machines_make_the_same_image(work: Work, tmp_path: Path) -> None:
    work.image(
        "a",
        BUSYBOX + 'WORKDIR /made/here\nRUN ["/bin/busybox", "mkdir", "/in"]\n'
        "FROM 0 AS last\nCOPY . /all/\n",
        x="1",
    )
    (work.project.directory / "images/a/x").chmod(0o755)
    first = work.build()
    machine = {**storage(tmp_path, "vfs"), "TZ": "Asia/Kathmandu", "LANG": "C"}
    work.repository /= "elsewhere"
    time.sleep(1.1)
    old = os.umask(0o077)
    try:
        second = work.build(machine=machine)
    finally:
        os.umask(old)
    (a,), (b,) = first.images, second.images
    assert b.rebuilt and a.reference.digest == b.reference.digest
    assert str(a.reference.tag)[:56] == str(b.reference.tag)[:56]
    config, files = contents(b.reference)
    assert (config["architecture"], config["os"]) == ("amd64", "linux")
    assert config["created"] == "1970-01-01T00:00:00Z"
    assert files["all/x"] == (0o755, "1") and files["all"][0] == 0o755


def test_what_makes_another_image_and_what_does_not(work: Work) -> None:
    work.image("a", "FROM scratch AS one\nCOPY . /\nFROM scratch\nCOPY x /\n", x="1", skip="1")
    work.project.write("images/a/.dockerignore", "skip\n")
    tags = [work.tag()]

    work.image("a", "FROM scratch AS one\nCOPY . /\nFROM scratch\nCOPY x /\n", x="1", skip="2")
    work.project.write("docs/README.md", "other")
    assert work.tag() == tags[0]

    work.project.write("images/a/x", "2")
    tags.append(work.tag())
    (work.project.directory / "images/a/x").chmod(0o755)
    tags.append(work.tag())
    (work.project.directory / "images/a/x").rename(work.project.directory / "images/a/y")
    work.project.write("images/a/x", "2")
    tags.append(work.tag())
    tags.append(work.tag(config=work.config("args: {A: b}\n")))
    tags.append(work.tag(config=work.config("args: {A: c}\n")))
    tags.append(work.tag(config=work.config("target: one\n")))
    work.project.write("images/a/Dockerfile", "FROM scratch\nCOPY x /\n")
    tags.append(work.tag())
    assert len(set(tags)) == len(tags)


def test_the_builder_sees_what_is_hashed(work: Work) -> None:
    work.image("a", "FROM scratch\nCOPY . /\n", keep="1", drop="1")
    work.project.write("images/a/deep/down/node_modules/x", "1")
    work.project.write("images/a/deep/down/kept", "1")
    work.project.write("images/a/.dockerignore", "*\n!keep\n!deep\n**/node_modules\n")
    (work.project.directory / "images/a/deep/link").symlink_to("/etc/passwd")
    name = os.fsdecode(b"\xff odd\n")
    (work.project.directory / "images/a/deep" / name).write_text("1")
    work.project.write("images/a/deep/untracked.log", "1")
    work.project.write(".gitignore", "*.log\n")
    (image,) = work.build().images
    _, files = contents(image.reference)
    assert set(files) == {
        "keep",
        "deep",
        "deep/down",
        "deep/down/kept",
        "deep/link",
        f"deep/{name}",
    }
    assert files["deep/link"][1] == "/etc/passwd"
    assert files["keep"] == (0o644, "1")


def test_arguments_targets_and_helpers(work: Work) -> None:
    text = 'FROM scratch AS one\nARG A\nLABEL a="$A"\nFROM one\nLABEL two=2\n'
    work.image("a", text, x="1")
    config = work.config('final: false\ntarget: one\nargs:\n  A: "{{ "{{" }} it\'s, {1} }}"\n')
    (image,) = work.build(config).images
    assert not image.final
    assert contents(image.reference)[0]["config"]["Labels"]["a"] == "{{ it's, {1} }}"


@pytest.fixture
def base(work: Work, real: RealRegistry) -> Callable[[str], Digest]:
    """Pushes a base image with a label, its tag `base:moving` on the registry moves to it."""
    repository = Repository.parse(f"{real.address}/{work.repository.path}/base")

    def push(label: str) -> Digest:
        other = Work(work.project.directory.parent / f"base-{label}", repository)
        other.image("base", BUSYBOX + f"LABEL base={label}\n")
        (image,) = other.build().images
        registry = connect()
        copy(registry, image.reference, repository.tagged("moving"))
        assert image.reference.digest
        return image.reference.digest

    return push


def test_a_base_image_is_taken_as_it_was_hashed(
    work: Work, base: Callable[[str], Digest], real: RealRegistry
) -> None:
    base("one")
    name = f"{real.address}/{work.repository.path}/base"
    work.image("a", f"ARG BASE=moving\nFROM {name}:${{BASE}} AS base\nCOPY x /\n", x="1")

    class Slow(LocalRunner):
        """The tag moves when the hash is made and the pull has not begun."""

        def run(self, command: Command, **more: Any) -> Outcome:
            if command.argv[:2] == ("buildah", "build"):
                base("two")
            return super().run(command, **more)

    (first,) = work.build(runner=Slow).images
    assert contents(first.reference)[0]["config"]["Labels"]["base"] == "one"
    (second,) = work.build().images
    assert second.rebuilt
    assert contents(second.reference)[0]["config"]["Labels"]["base"] == "two"
    assert not work.build().images[0].rebuilt


def test_base_images_by_all_names(
    work: Work, base: Callable[[str], Digest], real: RealRegistry
) -> None:
    digest = base("one")
    name = f"{real.address}/{work.repository.path}/base"
    work.image("tagged", f"FROM {name}:moving\nLABEL x=1\n")
    work.image("digest", f"FROM --platform=$BUILDPLATFORM {name}@{digest} as x\nLABEL x=1\n")
    work.image("both", f"FROM {name}:moving@{digest}\nLABEL x=1\n")
    work.image("copied", f"FROM scratch\nCOPY --from={name}:moving /bin/busybox /x\n")
    work.image(
        "mounted",
        f"FROM {name}:moving\nRUN --mount=type=bind,from={name}:moving,target=/m \\\n"
        '  ["/bin/busybox", "cp", "/m/bin/busybox", "/x"]\n',
    )
    work.image("alone", f"FROM {name}:moving\n")
    work.image("staged", f"FROM {name}:moving AS x\nFROM x\n")
    work.image("syntax", "# syntax=docker.invalid/frontend:1\nFROM scratch\nLABEL x=1\n")
    images = {image.name: image.reference for image in work.build().images}
    for alike in ("digest", "both", "alone", "staged"):
        assert contents(images[alike])[0]["config"]["Labels"]["base"] == "one"
    for name in ("copied", "mounted"):
        assert "x" in contents(images[name])[1]


def test_the_same_content_at_the_same_time(work: Work) -> None:
    text = (
        BUSYBOX
        + 'RUN ["/bin/busybox", "touch", "/1"]\nFROM 0\nRUN ["/bin/busybox", "touch", "/2"]\n'
    )
    for name in "abcd":
        work.image(name, text)
    images = work.build(parallel=4).images
    assert len({image.reference for image in images}) == 1
    assert sorted(image.rebuilt for image in images) == [False, False, False, True]


def test_what_a_killed_build_left_is_no_obstacle(work: Work, tmp_path: Path) -> None:
    work.image("a", f'{BUSYBOX}FROM 0\nRUN ["/bin/busybox", "sleep", "1.3579"]\n')
    machine = storage(tmp_path, "overlay")
    pids: list[int] = []

    class Killing(LocalRunner):
        def run(self, command: Command, **more: Any) -> Outcome:
            if command.argv[:2] == ("buildah", "build"):
                threading.Thread(target=self.kill_soon).start()
            return super().run(command, **more)

        def kill_soon(self) -> None:
            while not (found := processes(b"/bin/busybox\0sleep\x001.3579\0")):
                time.sleep(0.01)
            pids.extend(found)
            self.kill()

    with pytest.raises(BuildFailed):
        work.build(machine=machine, runner=Killing)
    assert pids
    (image,) = work.build(machine=machine).images
    subprocess.run(["umount", "-Rl", str(tmp_path / "graph/overlay")], check=False)
    log = (work.project.directory / ".orchestrator/build.log").read_text()
    assert image.rebuilt and "in use by a container" in log
    undisturbed = work.build(repository=work.repository / "again").images[0]
    assert undisturbed.reference.digest == image.reference.digest


def test_the_oldest_whole_image_wins(work: Work, real: RealRegistry) -> None:
    work.image("a", "FROM scratch\nCOPY x /\n", x="1")
    (image,) = work.build().images
    repository, registry = work.repository, connect()
    older = f"{str(image.reference.tag)[:56]}-0000000000001"
    copy(registry, image.reference, repository.tagged(older))
    assert work.build().images[0].reference.tag == older
    # Of the oldest of all only the name is there: a manifest whose layer is not.
    oldest = f"{str(image.reference.tag)[:56]}-0000000000000"
    manifest = registry.manifest(image.reference)
    assert manifest
    layer = manifest.layers[0].digest
    blob = Path(real.log).parent / "data/docker/registry/v2/repositories" / repository.path
    link = blob / "_layers/sha256" / layer.hex / "link"
    text = link.read_text()
    copy(registry, image.reference, repository.tagged(oldest))
    link.unlink()
    try:
        mended = work.build().images[0]
    finally:
        if not link.exists():
            link.write_text(text)
    assert mended.rebuilt and mended.reference.tag == oldest
    assert mended.reference.digest == image.reference.digest


def test_failures_are_told_together_and_the_rest_is_built(work: Work) -> None:
    work.image("bad", BUSYBOX + 'RUN ["/bin/busybox", "sh", "-c", "echo said; exit 3"]\n')
    work.image("gone", f"FROM scratch\nFROM {work.repository.registry}/none/such:1\n")
    work.image("good", "FROM scratch\nCOPY x /\n", x="1")
    with pytest.raises(BuildFailed, match="2 images failed") as caught:
        work.build(parallel=1)
    details = str(caught.value.details)
    assert "image bad: buildah build ended with exit code" in details
    assert "| said" in details and len(details.splitlines()) < 20
    assert "image gone: images/gone/Dockerfile:2: there is no base image" in details
    assert "the whole log is" in str(caught.value.hint)
    assert sorted(work.events)[:2] == [("bad", "building"), ("bad", "failed")]
    assert ("good", "built") in work.events
    assert list((work.project.directory / ".orchestrator/tmp").iterdir()) == []
    shutil.rmtree(work.project.directory / "images/bad")
    shutil.rmtree(work.project.directory / "images/gone")
    assert not work.build().images[0].rebuilt


@pytest.mark.parametrize(
    ("dockerfile", "kind", "message"),
    [
        ("FROM 127.0.0.1:1/x:1\n", TransientBuildError, "Dockerfile:1: base image 127.0.0.1:1/x:1"),
        ("ARG A\nFROM $A\n", BuildFailed, "Dockerfile:2: the base image has no name"),
        ("FROM UPPER/case\n", BuildFailed, "Dockerfile:1: base image UPPER/case: "),
        ("FROM scratch\nCOPY nothing /\n", BuildFailed, "buildah build ended with exit code 125"),
    ],
)
def test_one_failure(work: Work, dockerfile: str, kind: type[BuildFailed], message: str) -> None:
    work.image("a", dockerfile, x="1")
    with pytest.raises(BuildFailed, match=re.escape(message)) as caught:
        work.build()
    assert type(caught.value) is kind and caught.value.image == "a"
    assert caught.value.message.startswith("image a: ")


def test_a_disk_that_takes_nothing(work: Work) -> None:
    work.image("a", "FROM scratch\nCOPY x /\n", x="1")
    work.project.write(".orchestrator/tmp", "a file")
    with pytest.raises(BuildFailed, match=r"image a: .*tmp") as caught:
        work.build()
    assert "space" in str(caught.value.hint)


def stand_in(directory: Path, said: str) -> dict[str, str]:
    """A buildah that writes down its arguments, says something and fails."""
    directory.mkdir()
    script = directory / "buildah"
    script.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && exec echo "buildah version 1.99.0"\n'
        f'printf "%s\\n" "$@" > {directory}/arguments\necho "{said}" >&2\nexit 125\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{directory}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("said", "kind", "hint"),
    [
        ("Error: write /x: no space left on device", BuildFailed, "free some disk space"),
        ("error setting supplemental groups list: operation not permitted", BuildFailed, "subuid"),
        ("Error: cannot clone: Operation not permitted", BuildFailed, "allow user namespaces"),
        (
            "Error: kernel does not support overlay fs: whiteout: operation not permitted",
            BuildFailed,
            "STORAGE_DRIVER=vfs",
        ),
        (
            "Error: backing file system is unsupported for this graph driver",
            BuildFailed,
            "STORAGE_DRIVER=vfs",
        ),
        ("Error: unknown flag: --identity-label", BuildFailed, "1.28"),
        ("Error: initializing source: manifest unknown", BuildFailed, "base image exists"),
        ("Error: pinging: dial tcp: connect: connection refused", TransientBuildError, "is up"),
        ("Error: reading blob: 503 Service Unavailable", TransientBuildError, "mend the image"),
        ("wget: connection refused", BuildFailed, "is up"),
    ],
)
def test_hints(work: Work, tmp_path: Path, said: str, kind: type[BuildFailed], hint: str) -> None:
    work.image("a", "FROM scratch\nCOPY x /\n", x="1")
    with pytest.raises(BuildFailed, match="exit code 125") as caught:
        work.build(machine=stand_in(tmp_path / "bin", said))
    assert type(caught.value) is kind
    assert hint in str(caught.value.hint) and f"| {said}" in str(caught.value.details)


@pytest.mark.parametrize(
    ("bases", "more", "environ", "present", "absent"),
    [
        ("{here}@{digest}", {}, {}, ["--tls-verify=false", "--isolation=chroot"], []),
        ("x.invalid/y@{digest}", {}, {}, [], ["--tls-verify=false"]),
        ("{here}@{digest} x.invalid/y@{digest}", {}, {}, [], ["--tls-verify=false"]),
        ("x.invalid/y@{digest}", {"insecure": True}, {}, ["--tls-verify=false"], []),
        ("scratch", {}, {"BUILDAH_ISOLATION": "rootless"}, [], ["--isolation=chroot"]),
    ],
)
def test_what_buildah_is_told(
    work: Work,
    tmp_path: Path,
    bases: str,
    more: Mapping[str, Any],
    environ: Mapping[str, str],
    present: list[str],
    absent: list[str],
) -> None:
    named = bases.format(here=f"{work.repository.registry}/b", digest="sha256:" + "0" * 64)
    work.image("a", "".join(f"FROM {name}\n" for name in named.split()))
    with pytest.raises(BuildFailed):
        work.build(machine=stand_in(tmp_path / "bin", "no"), environ=environ, **more)
    told = (tmp_path / "bin/arguments").read_text().splitlines()
    assert set(present) <= set(told) and not set(absent) & set(told)
    assert {"--timestamp=0", "--platform=linux/amd64"} <= set(told)


def test_images_for_werf_are_named_at_once(work: Work) -> None:
    work.image("a", "FROM scratch\n")
    config = (
        work.config()
        + "---\nimage: b\nfrom: x\n---\nimage: c\ndockerfile: Dockerfile\nsecrets: []\n"
        + "---\nimage: d\ndockerfile: Dockerfile\ncontext: images/none\n"
        + '---\n{{ tpl (.Files.Get "images/tool/werf.inc.yaml") (dict "x" .) }}\n'
    )
    with pytest.raises(ToolMissing, match="buildah cannot build all") as caught:
        work.build(config)
    assert str(caught.value.details).splitlines() == [
        "images/tool/werf.inc.yaml: only werf can build it",
        "image b: only werf knows from",
        "image c: only werf knows secrets",
        "images/none/Dockerfile: there is no such Dockerfile in git",
    ]
    assert "install werf" in str(caught.value.hint)


def test_dockerfiles_that_cannot_be_read(work: Work) -> None:
    (work.project.directory / "images/link").mkdir(parents=True)
    (work.project.directory / "images/link/Dockerfile").symlink_to("../../Dockerfile")
    work.project.write("images/none/other", "")
    with pytest.raises(ConfigError) as caught:
        work.build()
    assert [finding.origin for finding in caught.value.findings] == [
        "images/link/Dockerfile",
        "images/none/Dockerfile",
    ]


def test_no_buildah(work: Work, tmp_path: Path) -> None:
    work.image("a", "FROM scratch\n")
    with pytest.raises(ToolMissing, match="buildah is not on PATH") as caught:
        work.build(machine={"PATH": str(tmp_path)})
    assert caught.value.hint == "apt-get install buildah"
    with pytest.raises(ConfigError, match="arguments for werf"):
        work.build(arguments=("--platform", "x"))


def test_a_private_base_image(work: Work, tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    extra = f"auth: {{htpasswd: {{realm: x, path: {tmp_path}/htpasswd}}}}\n"
    with real_registry(tmp_path / "private", extra=extra) as private:
        config = tmp_path / "docker"
        config.mkdir()
        token = base64.b64encode(b"user:pass-word").decode()
        auths = {"auths": {private.address: {"auth": token}}}
        (config / "config.json").write_text(json.dumps(auths))
        theirs = Work(tmp_path / "theirs", Repository.parse(f"{private.address}/base"))
        # Another content each time: buildah may have the image from the last run of this test.
        theirs.image("base", "FROM scratch\nCOPY x /\n", x=uuid.uuid4().hex)
        (base,) = theirs.build(docker_config=config).images
        work.image("a", f"FROM {base.reference.repository}:{base.reference.tag}\nLABEL x=1\n")
        with pytest.raises(BuildFailed, match="HTTP 401"):
            work.build()
        (image,) = work.build(docker_config=config).images
        log = (work.project.directory / ".orchestrator/build.log").read_text()
        assert token not in log and "pass-word" not in log
    assert image.rebuilt


def test_a_directory_of_any_name(tmp_path: Path, real: RealRegistry) -> None:
    work = Work(tmp_path / "a b:c,d", Repository.parse(f"{real.address}/any-name"))
    work.image("a", "FROM scratch\nCOPY x /\n", x="1")
    assert work.build().images[0].rebuilt


def test_an_interrupted_build_leaves_nothing_running(tmp_path: Path, real: RealRegistry) -> None:
    project = make_project(tmp_path / "echo")
    path = "images/backend/Dockerfile"
    text = (project.directory / path).read_text()
    project.write(path, f'{text}RUN ["/bin/busybox", "sleep", "97531"]\n')
    project.commit()
    source = f"{real.address}/interrupted"
    arguments = ("build", "--tag", "main", "--source", source, "--builder", "buildah")
    with subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *arguments],
        cwd=project.directory,
        env=project.base_env(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        deadline = time.monotonic() + 30
        while not processes(SLEEPING) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert processes(SLEEPING) and child.poll() is None
        child.terminate()
        assert child.wait(30) == 143
    assert not processes(SLEEPING)
    tmp = project.directory / ".orchestrator/tmp"
    assert not tmp.exists() or list(tmp.iterdir()) == []


def processes(line: bytes) -> list[int]:
    """The ids of the processes with this command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == line:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_errors_of_the_port_are_ours(work: Work) -> None:
    work.image("a", "FROM scratch\nCOPY x /\n", x="1")
    work.repository = Repository.parse("127.0.0.1:1/none")
    with pytest.raises(OrchestratorError):
        work.build()


def test_a_buildah_that_crashes_is_tried_again(work: Work, tmp_path: Path) -> None:
    """As 1.28 does where all names that it tries for a container are taken."""
    work.image("a", "FROM scratch\nCOPY x /\n", x="1")
    machine = stand_in(tmp_path / "tools", "goroutine 9 [running]:")
    script = tmp_path / "tools" / "buildah"
    script.write_text(script.read_text().replace("exit 125", f"echo >> {tmp_path}/tries; exit 2"))
    with pytest.raises(BuildFailed, match="exit code 2") as caught:
        work.build(machine=machine)
    assert "buildah rm --all" in str(caught.value.hint)
    assert len((tmp_path / "tries").read_text().splitlines()) == 4
