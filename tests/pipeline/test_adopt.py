"""A module with a werf config of its own: run as it is, its images published with all guards."""

import hashlib
import json
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import Project, RealRegistry, make_project, put_werf

DYING = (sys.executable, str(Path(__file__).with_name("dying.py")))
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def make_classic(place: Path, registry: RealRegistry, source: str = "modules") -> Project:
    project = make_project(place / "classic", "classic")
    project.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/{source}"
    project.env["ORCHESTRATOR_RETRIES"] = "0"
    put_werf(project, place / "tools")
    return project


@pytest.fixture
def classic(tmp_path: Path, registry: RealRegistry) -> Project:
    """The classic module at tag v1.0.0, with the stand-in for werf on PATH."""
    return make_classic(tmp_path, registry)


def builds(project: Project) -> list[str]:
    listing = project.directory.parent / "tools" / "calls"
    return [line for line in listing.read_text().splitlines() if line.startswith("build ")]


def put_attestation(registry: RealRegistry, repository: str, digest: str) -> str:
    """A manifest under the tag that cosign gives the attestation of an image; returns its digest."""

    def send(method: str, url: str, data: bytes, kind: str) -> str:
        request = urllib.request.Request(
            url, data=data, method=method, headers={"Content-Type": kind}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.headers.get("Location"))

    base = f"http://{registry.address}/v2/{repository}"
    blob = f'{{"attests":"{digest}"}}'.encode()
    name = "sha256:" + hashlib.sha256(blob).hexdigest()
    place = send("POST", f"{base}/blobs/uploads/", b"", "")
    send("PUT", f"{place}&digest={name}", blob, "application/octet-stream")
    described = {"mediaType": "application/json", "size": len(blob), "digest": name}
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": [described]}
    ).encode()
    tag = f"sha256-{digest.removeprefix('sha256:')}.att"
    send("PUT", f"{base}/manifests/{tag}", manifest, MANIFEST)
    return "sha256:" + hashlib.sha256(manifest).hexdigest()


def test_what_the_config_builds_is_published_unchanged(
    classic: Project, registry: RealRegistry, crane: Callable[..., str]
) -> None:
    done = classic.run("build")
    assert done.code == 0, done.err
    (call,) = builds(classic)
    assert call.startswith(f"build --repo {registry.address}/modules/classic --save-build-report")
    assert "--config" not in call
    assert not (classic.directory / ".orchestrator/werf.yaml").exists()

    built = json.loads((classic.directory / ".orchestrator/werf-report.json").read_text())["Images"]
    assert not built["images-digests-and-version"]["Final"]
    place = f"{registry.address}/modules/classic"
    bundle = built["bundle"]["DockerImageDigest"]
    release = built["release-channel-version"]["DockerImageDigest"]
    assert crane("digest", f"{place}:v1.0.0").strip() == bundle
    assert crane("digest", f"{place}/release:v1.0.0").strip() == release
    assert done.last == f"{place}@{bundle}"
    assert crane("digest", f"{registry.address}/modules:classic")
    worker, server = (built[name]["DockerImageDigest"] for name in ("queue-worker", "server"))
    text = (classic.directory / ".orchestrator/images_digests.json").read_text()
    assert (
        text == f'{{"queueWorker":"{worker}","server":"{server}"}}'
    )  # the very bytes of the bundle
    report = json.loads((classic.directory / ".orchestrator/report.json").read_text())
    assert [image["name"] for image in report["images"]] == ["queue-worker", "server"]
    assert (report["mode"], report["image"]["digest"]) == ("adopt", bundle)
    assert report["image"]["size"] > 0
    theirs = json.loads((classic.directory / "images_tags_werf.json").read_text())["Images"]
    assert theirs["bundle"]["DockerImageName"] == f"{place}:v1.0.0"


def test_a_second_run_sends_nothing_with_and_without_a_journal(
    classic: Project, registry: RealRegistry
) -> None:
    first = classic.run("build")
    assert first.code == 0, first.err
    planned = classic.run("plan")
    assert "build     run    not pinned (werf.yaml may read anything" in planned.out
    assert "module    maybe" in planned.out
    for _ in range(2):
        registry.forget()
        again = classic.run("build")
        assert (again.code, again.last) == (0, first.last), again.err
        assert registry.writes() == []
        shutil.rmtree(classic.directory / ".orchestrator")
    status = classic.run("status")
    assert "mode      adopt of werf.yaml" in status.out


def test_a_published_version_with_another_digest_is_refused(
    classic: Project, registry: RealRegistry
) -> None:
    first = classic.run("build")
    assert first.code == 0, first.err
    classic.write("templates/new.yaml", "a: b\n")
    classic.commit()
    classic.git("tag", "-f", "v1.0.0")
    before = registry.tree("modules", "classic")
    done = classic.run("build")
    assert done.code == 73, done.err
    assert first.last.partition("@")[2] in done.err
    after = registry.tree("modules", "classic")
    assert after["release"] == before["release"]
    assert after["module"]["v1.0.0"] == before["module"]["v1.0.0"]
    forced = classic.run("build", "--force", "module")
    assert forced.code == 0, forced.err
    assert "replaced" in forced.err


def test_a_deleted_module_tag_comes_back(classic: Project, registry: RealRegistry) -> None:
    first = classic.run("build")
    digest = first.last.partition("@")[2]
    registry.delete("modules/classic", digest)
    assert "v1.0.0" not in registry.tags("modules/classic")
    done = classic.run("build")
    assert done.code == 0, done.err
    assert registry.digest("modules/classic", "v1.0.0") == digest


def test_a_release_published_from_something_else_keeps_its_pair(
    classic: Project, registry: RealRegistry
) -> None:
    """The release image alone may be equal; without the module image it tells nothing."""
    first = classic.run("build")
    registry.delete("modules/classic", first.last.partition("@")[2])
    classic.write("changelog.yaml", "fixes: []\n")
    classic.write("templates/new.yaml", "a: b\n")
    classic.commit()
    classic.git("tag", "-f", "v1.0.0")
    done = classic.run("build")
    assert done.code == 73, done.err
    assert "v1.0.0" not in registry.tags("modules/classic")


def test_development_tags_move(classic: Project, registry: RealRegistry) -> None:
    assert classic.run("build", "--tag", "main").code == 0
    before = registry.digest("modules/classic", "main")
    classic.write("templates/new.yaml", "a: b\n")
    done = classic.run("build", "--tag", "main")
    assert done.code == 0, done.err
    assert builds(classic)[-1].endswith(" --dev")
    assert registry.digest("modules/classic", "main") != before
    released = classic.run("build", "--tag", "v1.0.1")
    assert released.code == 78
    assert "templates/new.yaml: not committed" in released.err


def test_a_config_that_is_not_committed_yet(classic: Project, registry: RealRegistry) -> None:
    path = classic.directory / ".werf/stages/bundle.yaml"
    path.write_text(path.read_text().replace("image: bundle", "image: module"))
    done = classic.run("build", "--tag", "main", "--bundle-image", "module")
    assert done.code == 0, done.err
    built = json.loads((classic.directory / ".orchestrator/werf-report.json").read_text())["Images"]
    assert registry.digest("modules/classic", "main") == built["module"]["DockerImageDigest"]


def test_werf_lists_the_images_under_the_conditions_of_the_build(classic: Project) -> None:
    arguments = ("--env", "prod", "--log-verbose", "--platform=linux/amd64")
    environ = {"WERF_LOG_VERBOSE": "1", "WERF_FINAL_IMAGES_ONLY": "1"}
    done = classic.run("build", "--tag", "main", "--", *arguments, env=environ)
    calls = (classic.directory.parent / "tools" / "calls").read_text().splitlines()
    assert "config list --log-quiet --final-images-only --env prod" in calls
    assert done.code == 0, done.err


def test_a_stages_repository_of_its_own_and_attestations(
    classic: Project, registry: RealRegistry
) -> None:
    stages = f"{registry.address}/stages/classic"
    assert classic.run("build", "--repo", stages, "--until", "digests").code == 0
    built = json.loads((classic.directory / ".orchestrator/werf-report.json").read_text())["Images"]
    digests = {name: record["DockerImageDigest"] for name, record in built.items()}
    attested = ("server", "bundle", "release-channel-version")
    proofs = {name: put_attestation(registry, "stages/classic", digests[name]) for name in attested}
    done = classic.run("build", "--repo", stages)
    assert done.code == 0, done.err
    module, release = registry.tags("modules/classic"), registry.tags("modules/classic/release")
    for name in attested:
        assert module[f"sha256-{digests[name][7:]}.att"] == proofs[name]
    assert module["v1.0.0.att"] == proofs["bundle"]
    assert release["v1.0.0.att"] == proofs["release-channel-version"]
    named = f"sha256-{digests['release-channel-version'][7:]}.att"
    assert set(release) == {"v1.0.0", "v1.0.0.att", named}
    assert digests["images-digests-and-version"] not in module.values()
    assert "[16]" not in done.err


def test_what_the_config_does_not_build_is_assembled(
    classic: Project, registry: RealRegistry, crane: Callable[..., str]
) -> None:
    text = (classic.directory / "werf.yaml").read_text()
    lines = [line for line in text.splitlines() if "bundle" not in line and "release" not in line]
    classic.write("werf.yaml", "\n".join(lines) + "\n")
    classic.commit()
    classic.git("tag", "-f", "v1.0.0")
    done = classic.run("build")
    assert done.code == 0, done.err
    place = f"{registry.address}/modules/classic"
    manifest = json.loads(crane("manifest", f"{place}:v1.0.0"))
    assert manifest["annotations"]["org.opencontainers.image.version"] == "v1.0.0"
    digests = json.loads((classic.directory / ".orchestrator/images_digests.json").read_text())
    assert sorted(digests) == ["queueWorker", "server"]
    registry.forget()
    assert classic.run("build").code == 0
    assert registry.writes() == []


def test_only_the_release_is_assembled(classic: Project, registry: RealRegistry) -> None:
    text = (classic.directory / "werf.yaml").read_text()
    kept = [line for line in text.splitlines() if "release" not in line]
    classic.write("werf.yaml", "\n".join(kept) + "\n")
    classic.commit()
    classic.git("tag", "-f", "v1.0.0")
    done = classic.run("build")
    assert done.code == 0, done.err
    registry.delete("modules/classic", done.last.partition("@")[2])
    again = classic.run("build")
    assert again.code == 0, again.err
    assert "v1.0.0" in registry.tags("modules/classic")
    classic.write("templates/new.yaml", "a: b\n")
    classic.commit()
    classic.git("tag", "-f", "v1.0.0")
    assert classic.run("build").code == 73
    assert len(builds(classic)) == 2  # the release names its commit: refused before a third build


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--bundle-image", "module"), 78, "bundle_image: werf.yaml declares no image module"),
        (("--release-image", "bundle"), 78, "cannot be module and release image at once"),
        (("--builder", "buildah"), 78, "buildah (--builder) cannot build from the module's own"),
        (("--mode", "generate", "--werf-config", "werf.yaml"), 78, "leave one of both out"),
        (("--werf-config", "other.yaml"), 78, "other.yaml (--werf-config) is not in the module's"),
        (("--werf", "/nothing"), 69, "/nothing is not on PATH"),
        (("--", "server"), 1, "do not narrow the build to some images"),
    ],
)
def test_refusals(
    classic: Project, registry: RealRegistry, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = classic.run("build", *arguments)
    assert done.code == code, done.err
    assert says in done.err
    assert "Traceback" not in done.err
    assert registry.tags("modules") == {}
    assert not {"v1.0.0"} & set(registry.tags("modules/classic"))
    if code != 1:
        assert builds(classic) == []
        assert not [path for method, path, _ in registry.writes() if method == "PUT"]


def test_adopt_without_a_config(project: Project) -> None:
    done = project.run("build", "--mode", "adopt", "--builder", "auto")
    assert done.code == 78
    assert "mode is adopt (--mode), but the module has no werf.yaml" in done.err


@pytest.mark.parametrize(
    ("path", "old", "new", "says"),
    [
        (
            ".werf/stages/images-digests.yaml",
            """'{{ env "MODULES_MODULE_TAG" }}'""",
            "1.0.0",
            'version.json is {"version":"1.0.0"}, not {"version":"v1.0.0"}',
        ),
        (".werf/stages/bundle.yaml", "module.yaml", "modules.yaml", "has no module.yaml"),
        (
            ".werf/stages/bundle.yaml",
            "      - images_digests.json\n",
            "      - version.json\n",
            "images_digests.json is missing",
        ),
        (
            ".werf/stages/images-digests.yaml",
            '"$MODULE_IMAGE_DIGEST_server"',
            f"sha256:{'0' * 64}",
            "image server: ",
        ),
    ],
    ids=["version", "module.yaml", "digests", "missing image"],
)
def test_what_dkp_could_not_use_gets_no_name(
    classic: Project, registry: RealRegistry, path: str, old: str, new: str, says: str
) -> None:
    text = (classic.directory / path).read_text()
    assert old in text
    classic.write(path, text.replace(old, new))
    classic.commit()
    done = classic.run("build", "--tag", "v1.0.0")
    assert done.code == 1, done.err
    assert says in done.err
    assert "in stage digests" in done.err
    assert "v1.0.0" not in registry.tags("modules/classic")
    assert registry.tags("modules/classic/release") == {}


def test_a_template_that_fails(classic: Project, registry: RealRegistry) -> None:
    classic.write("werf-giterminism.yaml", "giterminismConfigVersion: 1\n")
    classic.commit()
    done = classic.run("build", "--tag", "v1.0.0")
    assert done.code == 78, done.err
    assert "werf-giterminism.yaml does not allow" in done.err
    assert "MODULES_MODULE_TAG" in done.err
    assert registry.writes() == []


def test_a_config_under_another_name(classic: Project) -> None:
    classic.git("mv", "werf.yaml", "build.yaml")
    classic.write("orchestrator.yaml", "werf_config: ./build.yaml\n")
    classic.commit()
    classic.git("tag", "-f", "v1.0.0")
    done = classic.run("build")
    assert done.code == 0, done.err
    assert builds(classic)[0].startswith("build --config build.yaml --repo ")
    rendered = classic.run("render")
    assert rendered.code == 78
    assert "build.yaml is run as it is" in rendered.err


def test_generate_passes_over_the_config(classic: Project) -> None:
    giterminism = "giterminismConfigVersion: 1\nconfig: {allowUncommitted: true}\n"
    classic.write("werf-giterminism.yaml", giterminism)
    classic.commit()
    classic.git("tag", "-f", "v1.0.0")
    done = classic.run("build", "--mode", "generate")
    assert done.code == 0, done.err
    assert "warning: werf.yaml is not read" in done.err
    assert "--config .orchestrator/werf.yaml" in builds(classic)[0]


def tree_at_rest(registry: RealRegistry, source: str) -> dict[str, dict[str, str]]:
    """All names, once the registry has dealt with what a killed program had sent at the same time:

    it lists a tag a moment before it answers for it.
    """
    deadline = time.monotonic() + 10
    while True:
        try:
            return registry.tree(source, "classic")
        except urllib.error.HTTPError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.slow
def test_every_fifth_point(tmp_path: Path, shared_registry: RealRegistry) -> None:
    """Killed with -9 at a journal append or around a registry write, copies into R/M among them."""
    registry = shared_registry

    def classic(place: str) -> Project:
        project = make_classic(tmp_path / place, registry, place)
        project.env["WERF_REPO"] = f"{registry.address}/stages/{place}"
        return project

    calm = classic("calm")
    listing = tmp_path / "points"
    done = calm.run("count", "build", program=DYING, env={"POINTS": str(listing)})
    assert done.code == 0, done.err
    points = listing.read_text().splitlines()
    expected = registry.tree("calm", "classic")
    started = points.index("after journal build started")
    assert sum(point == "before PUT" for point in points) >= 7
    for number, name in list(enumerate(points, start=1))[started::5]:
        place = f"crash-{number}"
        project = classic(place)
        died = project.run(str(number), "build", program=DYING)
        assert died.code == -9, f"{name}: {died.err}"
        tree = tree_at_rest(registry, place)
        assert not tree["source"] or tree["release"]
        assert not tree["release"] or "v1.0.0" in tree["module"]
        again = project.run("build")
        assert again.code == 0, f"{name}: {again.err}"
        assert registry.tree(place, "classic") == expected, name
        registry.forget()
        assert project.run("build").code == 0
        assert registry.writes() == [], name


BETWEEN = """
import os, subprocess, sys
from orchestrator import cli
from orchestrator.engine.journal import Journal
from orchestrator.stages import published
def other(*arguments):
    command = [sys.executable, "-m", "orchestrator", "build", *arguments]
    done = subprocess.run(command, cwd=os.environ["OTHER"], stderr=subprocess.DEVNULL)
    print(f"the other one ended with {done.returncode}", file=sys.stderr)
append, replaces = Journal.append, published._replaces
def before_release(journal, record):
    append(journal, record)
    if (record.stage, str(record.event)) == ("release", "started"):
        other("--until", "module")
def before_replacing(*arguments):
    replaces(*arguments)
    other()
if os.environ["WHEN"] == "release":
    Journal.append = before_release
else:
    published._replaces = before_replacing
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("when", ["release", "replacing"])
def test_of_two_publishers_one_is_refused(
    tmp_path: Path, registry: RealRegistry, when: str
) -> None:
    """Their release images are equal, so that only the tag of the module image tells who has won."""
    one, other = (make_classic(tmp_path / name, registry) for name in ("one", "other"))
    other.write("templates/new.yaml", "a: b\n")
    other.commit()
    other.git("tag", "-f", "v1.0.0")
    if when == "replacing":
        assert other.run("build", "--until", "module").code == 0
    program = (sys.executable, "-c", BETWEEN)
    environ = {"OTHER": str(other.directory), "WHEN": when}
    done = one.run("build", program=program, env=environ)
    assert "the other one ended with 0" in done.err
    assert done.code == 73, done.err
    assert [project.run("build").code for project in (one, other)] == [73, 0]
