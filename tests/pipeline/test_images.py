"""`images publish` and `ci-env` on a real registry, read back by crane."""

import json
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError

import pytest

from orchestrator.fsio import canonical_json, sha256
from orchestrator.model import Reference
from orchestrator.process import LocalRunner
from orchestrator.registry import image as image_
from orchestrator.registry.client import Registry
from tests.harness import Done, Project, RealRegistry, make_project, real_registry

Crane = Callable[..., str]
STAGES = "web/core/stages"
SYSTEM = "web/core/system"
DYING = (sys.executable, str(Path(__file__).with_name("dying.py")))
HEX = re.compile(r"sha256:[0-9a-f]{64}")


def push_image(reference: str, content: str, *, labels: dict[str, str] | None = None) -> str:
    """An image of one file, as a builder would leave it; its digest."""
    file = image_.LayerFile(path="content", data=content.encode())
    plain = image_.assemble([file], annotations={}, created=None)
    config = canonical_json({**json.loads(plain.config), "config": {"Labels": labels}})
    manifest = json.loads(plain.manifest)
    manifest["config"] |= {"digest": sha256(config), "size": len(config)}
    image = image_.Image(manifest=canonical_json(manifest), config=config, layer=plain.layer)
    registry = Registry.connect(env={"HOME": "/nonexistent"}, runner=LocalRunner({}))
    return image_.push(registry, image, Reference.parse(reference))


@pytest.fixture
def plain(tmp_path: Path) -> Project:
    """A directory that is no module, with an environment to run in."""
    directory = tmp_path / "work" / "plain"
    directory.mkdir(parents=True)
    return Project(directory)


def report(project: Project, registry: RealRegistry, images: dict[str, str]) -> str:
    """A report as werf writes it, of images in the stages repository: name -> digest."""
    records = {
        name: {
            "WerfImageName": name,
            "DockerRepo": f"{registry.address}/{STAGES}",
            "DockerTag": f"stage-{number}",
            "DockerImageDigest": digest,
            "Final": name != "builder",
        }
        for number, (name, digest) in enumerate(images.items())
    }
    project.write("report.json", json.dumps({"Images": records, "ImagesByPlatform": {}}))
    return "report.json"


@pytest.fixture
def built(plain: Project, registry: RealRegistry) -> Project:
    """Backend, frontend and a builder, built and reported."""
    digests = {
        name: push_image(f"{registry.address}/{STAGES}:{name}", name, labels={"werf": "system"})
        for name in ("backend", "frontend", "builder")
    }
    plain.env["ORCHESTRATOR_BUILD_REPORT"] = report(plain, registry, digests)
    return plain


def publish(project: Project, *arguments: str, **env: str) -> Done:
    return project.run("images", "publish", *arguments, env=env)


def sourced(project: Project, command: str, **env: str) -> Done:
    """The command in a shell as CI runs it, with our program first on its PATH."""
    program = project.directory.parent / "bin" / "orchestrator"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m orchestrator "$@"\n')
    program.chmod(0o755)
    script = f"set -eo pipefail; PATH={shlex.quote(str(program.parent))}:$PATH; {command}"
    return project.run(script, program=("bash", "-c"), env=env)


def names(done: Done) -> list[str]:
    """The names on stdout, after a look at the digests behind them."""
    assert done.code == 0, done.err
    lines = [line.partition("@") for line in done.out.splitlines()]
    assert all(HEX.fullmatch(digest) for _, _, digest in lines)
    return [name for name, _, _ in lines]


def labels(crane: Crane, reference: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(crane("config", reference))["config"]["Labels"]
    return found


def agrees(crane: Crane, done: Done) -> None:
    """Each line of stdout is what crane finds under that name, whole."""
    for line in done.out.splitlines():
        name, _, digest = line.partition("@")
        assert crane("digest", name).strip() == digest
        crane("validate", "--remote", name)


def test_two_images(built: Project, registry: RealRegistry, crane: Crane) -> None:
    repo = f"{registry.address}/{SYSTEM}"
    done = publish(built, "--images-repo", repo, "--tag-custom", "v1.2.0")
    assert names(done) == [f"{repo}/backend:v1.2.0", f"{repo}/frontend:v1.2.0"]
    agrees(crane, done)
    assert crane("ls", f"{repo}/backend").split() == ["v1.2.0"]
    assert labels(crane, f"{repo}/backend:v1.2.0") == {
        "werf": "system",
        "werf-image": "true",
        "werf-image-name": "backend",
        "werf-image-tag": "v1.2.0",
        "werf-tag-strategy": "custom",
    }
    here, there = f"{repo}/backend:v1.2.0", f"{registry.address}/{STAGES}:backend"
    assert crane("export", here, "-") == crane("export", there, "-")
    assert crane("digest", here) != crane("digest", there)
    assert "builder" not in crane("catalog", registry.address)


def test_two_images_in_a_gitlab_job(built: Project, registry: RealRegistry, crane: Crane) -> None:
    repo = f"{registry.address}/{SYSTEM}"
    done = sourced(
        built,
        "type orchestrator >/dev/null && "
        "source <(orchestrator ci-env gitlab --tagging-strategy tag-or-branch)\n"
        "orchestrator images publish --slug werf-v1",
        CI_COMMIT_REF_NAME="core/feature/ADD_SETTINGS",
        CI_REGISTRY_IMAGE=repo,
    )
    assert names(done) == [
        f"{repo}/backend:core-feature-add-settings-c3fd80df",
        f"{repo}/frontend:core-feature-add-settings-c3fd80df",
    ]
    agrees(crane, done)
    found = labels(crane, f"{repo}/frontend:core-feature-add-settings-c3fd80df")
    assert found["werf-tag-strategy"] == "git-branch"
    assert found["werf-image-tag"] == "core-feature-add-settings-c3fd80df"
    assert found["io.deckhouse.orchestrator.git-reference"] == "core/feature/ADD_SETTINGS"
    today = publish(built, "--images-repo", repo, "--tag-git-branch", "core/feature/ADD_SETTINGS")
    slug = built.run("slugify", "core/feature/ADD_SETTINGS").last
    assert names(today) == [f"{repo}/backend:{slug}", f"{repo}/frontend:{slug}"]


def test_an_unnamed_image_in_a_gitlab_job(
    plain: Project, registry: RealRegistry, crane: Crane
) -> None:
    digest = push_image(f"{registry.address}/{STAGES}:queue", "queue")
    plain.env["ORCHESTRATOR_BUILD_REPORT"] = report(plain, registry, {"": digest})
    repo = f"{registry.address}/web/core/queue"
    done = sourced(
        plain,
        '. "$(orchestrator ci-env gitlab --as-file)"; orchestrator images publish --slug werf-v1',
        CI_COMMIT_TAG="v2.3.1",
        CI_COMMIT_REF_NAME="v2.3.1",
        CI_REGISTRY_IMAGE=repo,
    )
    assert names(done) == [f"{repo}:v2-3-1-5cb8b0a4"]
    agrees(crane, done)
    found = labels(crane, f"{repo}:v2-3-1-5cb8b0a4")
    assert (found["werf"], found["werf-image-name"]) == ("queue", "")
    assert found["io.deckhouse.orchestrator.git-reference"] == "v2.3.1"
    literal = publish(
        plain, "--images-repo", "registry.hello.com/web/core/queue", "--tag-git-tag", "v2.3.1",
        "--slug", "werf-v1", "--dry-run",
    )  # fmt: skip
    assert literal.out == "registry.hello.com/web/core/queue:v2-3-1-5cb8b0a4\n"


def test_two_images_with_multiple_tags_in_a_gitlab_job(
    built: Project, registry: RealRegistry, crane: Crane
) -> None:
    repo = f"{registry.address}/{SYSTEM}"
    done = sourced(
        built,
        "source <(orchestrator ci-env gitlab)\n"
        "orchestrator images publish --slug werf-v1 "
        "--tag-custom feature-using-cache --tag-custom  my-test-branch",
        CI_COMMIT_REF_NAME="rework-cache",
        CI_REGISTRY_IMAGE=repo,
    )
    assert names(done) == [
        f"{repo}/backend:rework-cache",
        f"{repo}/frontend:rework-cache",
        f"{repo}/backend:feature-using-cache",
        f"{repo}/frontend:feature-using-cache",
        f"{repo}/backend:my-test-branch",
        f"{repo}/frontend:my-test-branch",
    ]
    agrees(crane, done)
    assert len({line.partition("@")[2] for line in done.out.splitlines()}) == 6
    tags = ["feature-using-cache", "my-test-branch", "rework-cache"]
    assert sorted(crane("ls", f"{repo}/backend").split()) == tags


def test_again_sends_nothing_and_a_moved_tag_is_told(
    built: Project, registry: RealRegistry, crane: Crane
) -> None:
    repo = f"{registry.address}/{SYSTEM}"
    arguments = ("--images-repo", repo, "--tag-custom", "a", "--tag-custom", "b")
    first = publish(built, *arguments)
    registry.forget()
    again = publish(built, *arguments, "-o", "json")
    assert {image["state"] for image in json.loads(again.out)["images"]} == {"unchanged"}
    assert [f"{i['reference']}" for i in json.loads(again.out)["images"]] == first.out.split()
    assert registry.writes() == []

    registry.delete(f"{SYSTEM}/backend", registry.digest(f"{SYSTEM}/backend", "a"))
    registry.forget()
    assert publish(built, *arguments).out == first.out
    puts = [path for method, path, _ in registry.writes() if method == "PUT"]
    digest = first.out.splitlines()[0].partition("@")[2]
    assert puts == [f"/v2/{SYSTEM}/backend/manifests/{end}" for end in (digest, "a")]

    old = registry.digest(f"{SYSTEM}/frontend", "a")
    new = push_image(f"{registry.address}/{STAGES}:frontend", "another frontend")
    built.env["ORCHESTRATOR_BUILD_REPORT"] = report(built, registry, {"frontend": new})
    moved = publish(built, *arguments, "-o", "json")
    records = json.loads(moved.out)["images"]
    assert [(r["tag"], r["state"]) for r in records] == [("a", "replaced"), ("b", "replaced")]
    assert (records[0]["was"], records[0]["built"]) == (old, new)
    assert records[0]["digest"] == crane("digest", f"{repo}/frontend:a").strip()
    assert f"replaced {repo}/frontend:a@{old} by {records[0]['digest']}" in moved.err


def test_to_another_registry_and_by_another_program_run_it_is_the_same(
    built: Project, registry: RealRegistry, crane: Crane, tmp_path: Path
) -> None:
    digests = []
    with real_registry(tmp_path / "other") as other:
        for address in (registry.address, other.address):
            repo = f"{address}/{SYSTEM}"
            done = publish(built, "--images-repo", repo, "--tag-git-branch", "main")
            assert names(done) == [f"{repo}/backend:main", f"{repo}/frontend:main"]
            agrees(crane, done)
            digests.append([line.partition("@")[2] for line in done.out.splitlines()])
        mounts = [path for _, path, _ in registry.writes() if "mount=" in path]
        assert len(mounts) == 2
    assert digests[0] == digests[1]


def test_an_index_of_two_platforms(plain: Project, registry: RealRegistry, crane: Crane) -> None:
    stages = f"{registry.address}/{STAGES}"
    parts = []
    for cpu in ("amd64", "arm64"):
        digest = push_image(f"{stages}:{cpu}", cpu)
        crane(
            "mutate",
            "--set-platform",
            f"linux/{cpu}",
            "-t",
            f"{stages}:{cpu}",
            f"{stages}@{digest}",
        )
        parts += ["-m", f"{stages}:{cpu}"]
    crane("index", "append", *parts, "-t", f"{stages}:index")
    digest = crane("digest", f"{stages}:index").strip()
    plain.env["ORCHESTRATOR_BUILD_REPORT"] = report(plain, registry, {"backend": digest})
    repo = f"{registry.address}/{SYSTEM}"
    done = publish(plain, "--images-repo", repo, "--tag-custom", "v1")
    assert names(done) == [f"{repo}/backend:v1"]
    agrees(crane, done)
    for cpu in ("amd64", "arm64"):
        config = json.loads(crane("config", "--platform", f"linux/{cpu}", f"{repo}/backend:v1"))
        assert config["architecture"] == cpu
        assert config["config"]["Labels"]["werf-image-name"] == "backend"
    registry.forget()
    assert publish(plain, "--images-repo", repo, "--tag-custom", "v1").out == done.out
    assert registry.writes() == []


def test_images_of_a_module(project: Project, registry: RealRegistry, crane: Crane) -> None:
    repo = f"{registry.address}/{SYSTEM}"
    arguments = ("--images-repo", repo, "--tag-git-tag", "v1.0.0")
    dry = publish(project, *arguments, "--dry-run")
    assert dry.out.split() == [f"{repo}/backend:v1.0.0", f"{repo}/frontend:v1.0.0"]
    assert registry.writes() == []
    done = publish(project, *arguments)
    assert names(done) == dry.out.split()
    agrees(crane, done)
    assert labels(crane, f"{repo}/backend:v1.0.0")["werf"] == "echo"
    again = publish(project, *arguments, "frontend", WERF_TAG_GIT_BRANCH="main")
    assert names(again) == [f"{repo}/frontend:v1.0.0", f"{repo}/frontend:main"]
    assert "build     unchanged" in again.err
    assert project.run("build").code == 0
    registry.forget()
    assert publish(project, *arguments).out == done.out
    assert registry.writes() == []


def test_a_local_registry_feeds_another(tmp_path: Path, registry: RealRegistry) -> None:
    project = make_project(tmp_path / "echo")
    project.env["ORCHESTRATOR_BUILDER"] = "buildah"
    repo = f"{registry.address}/{SYSTEM}"
    assert names(publish(project, "--images-repo", repo, "--tag-custom", "v1")) == [
        f"{repo}/backend:v1",
        f"{repo}/frontend:v1",
    ]


@pytest.mark.parametrize(
    ("images_repo", "image"), [("modules/echo", "release"), ("modules", "echo")]
)
def test_the_module_itself_is_not_published_over(
    project: Project, registry: RealRegistry, images_repo: str, image: str
) -> None:
    shutil.copytree(project.directory / "images/frontend", project.directory / "images" / image)
    repo = f"{registry.address}/{images_repo}"
    done = publish(project, "--images-repo", repo, "--tag-custom", "v1", "--tag", "dev")
    assert done.code == 78
    assert f"{repo}/{image}:v1" in done.err and "over other ones" in done.err
    assert registry.writes() == []


def test_names_in_fragments_are_not_known_before_the_build(project: Project) -> None:
    project.write("images/extra/werf.inc.yaml", "image: extra\n")
    project.commit("fragment", tag="v1.1.0")
    done = publish(project, "--images-repo", "r.io/x", "--tag-custom", "v1", "--dry-run")
    assert done.code == 78
    assert "images/extra/werf.inc.yaml: it names its images itself" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--tag-custom", "feature/x"), "is not a legal tag"),
        (("--tag-custom", "main", "--tag-git-branch", "main"), "which --tag-git-branch makes too"),
        (("--tag-custom", ""), "it is empty"),
        ((), "no tag is given"),
        (("--tag-custom", "v1", "--images-repo", "Bad/Repo"), "registry host"),
        (("--tag-custom", "v1", "bakend"), "did you mean backend?"),
        (("--tag-custom", "v1", "--report", "none.json"), "cannot read the build report"),
    ],
)
def test_refused_before_anything_is_sent(
    built: Project, registry: RealRegistry, arguments: tuple[str, ...], says: str
) -> None:
    registry.forget()
    done = publish(built, *arguments, WERF_IMAGES_REPO=f"{registry.address}/{SYSTEM}")
    assert done.code == 78
    assert says in done.err
    assert "Traceback" not in done.err and done.out == ""
    assert registry.requests() == []


def test_no_images_repo_and_a_nameless_image_beside_named_ones(
    plain: Project, registry: RealRegistry
) -> None:
    digest = "sha256:" + "0" * 64
    plain.env["ORCHESTRATOR_BUILD_REPORT"] = report(plain, registry, {"": digest, "a": digest})
    done = publish(plain, "--tag-custom", "v1")
    assert (done.code, "$WERF_IMAGES_REPO" in done.err) == (78, True)
    done = publish(plain, "--tag-custom", "v1", "--images-repo", f"{registry.address}/x")
    assert (done.code, "beside named ones: a" in done.err) == (78, True)
    assert registry.writes() == []


def test_a_built_image_that_is_gone(plain: Project, registry: RealRegistry) -> None:
    digest = "sha256:" + "0" * 64
    plain.env["ORCHESTRATOR_BUILD_REPORT"] = report(plain, registry, {"a": digest})
    done = publish(plain, "--tag-custom", "v1", "--images-repo", f"{registry.address}/x")
    assert done.code == 1
    assert "was built, but is not in the registry" in done.err
    assert registry.writes() == []


def test_a_registry_that_refuses_is_told_before_the_build(
    project: Project, registry: RealRegistry, tmp_path: Path
) -> None:
    with real_registry(tmp_path / "closed", readonly=True) as closed:
        done = publish(project, "--images-repo", f"{closed.address}/x", "--tag-custom", "v1")
    assert done.code != 0
    assert closed.address in done.err
    assert registry.writes() == []


def settled_tags(registry: RealRegistry, repository: str) -> list[str]:
    """The registry may still be at the last request of the killed one: a tag is listed a moment early."""
    for _ in range(100):
        try:
            return list(registry.tags(repository))
        except HTTPError:
            time.sleep(0.02)
    return list(registry.tags(repository))


@pytest.mark.slow
def test_killed_at_every_write_and_run_again(
    built: Project, registry: RealRegistry, crane: Crane, tmp_path: Path
) -> None:
    def arguments(place: str) -> tuple[str, ...]:
        repo = f"{registry.address}/{place}"
        return ("images", "publish", "--images-repo", repo, "--tag-git-branch", "main")

    def digests(out: str) -> list[str]:
        return [line.partition("@")[2] for line in out.splitlines()]

    listing = tmp_path / "points"
    calm = built.run("count", *arguments("calm"), program=DYING, env={"POINTS": str(listing)})
    assert calm.code == 0, calm.err
    points = listing.read_text().splitlines()
    assert sum(point == "before PUT" for point in points) == 6
    for number, point in enumerate(points, start=1):
        place = f"crash-{number}"
        registry.forget()
        died = built.run(str(number), *arguments(place), program=DYING)
        assert died.code == -9, f"{point}: {died.err}"
        registry.settle()
        for image in ("backend", "frontend"):
            for tag in settled_tags(registry, f"{place}/{image}"):
                crane("validate", "--remote", f"{registry.address}/{place}/{image}:{tag}")
        again = built.run(*arguments(place))
        assert again.code == 0, f"{point}: {again.err}"
        assert digests(again.out) == digests(calm.out)
        stored = [path for _, path, _ in registry.writes() if "/manifests/sha256:" in path]
        assert len(stored) == len(set(stored)) == 2, point
        registry.forget()
        assert built.run(*arguments(place)).out == again.out
        assert registry.writes() == [], point


def test_ci_env_that_fails_stops_the_job(plain: Project) -> None:
    for command in (
        "source <(orchestrator ci-env gitlb)",
        '. "$(orchestrator ci-env gitlb --as-file)"',
    ):
        done = sourced(plain, f"{command}\necho went on")
        assert done.code != 0
        assert "went on" not in done.out
        assert "did you mean gitlab?" in done.err


def test_ci_env_and_a_build(project: Project, registry: RealRegistry) -> None:
    del project.env["MODULES_MODULE_SOURCE"]
    done = sourced(
        project,
        "source <(orchestrator ci-env gitlab)\norchestrator build",
        CI_COMMIT_REF_NAME="feature/x",
        CI_MERGE_REQUEST_IID="12",
        CI_REGISTRY_IMAGE=f"{registry.address}/group/modules",
    )
    assert done.code == 0, done.err
    assert "mr12" in registry.tags("group/modules/echo")
