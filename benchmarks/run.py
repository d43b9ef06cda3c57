"""Measures against targets and prints ratios. Needs docker-registry, buildah and busybox; crane if there."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.harness import Project, RealRegistry, make_project, real_registry  # noqa: E402  the path to it is set above

INSTALLED = Path(sys.executable).with_name("orchestrator")
PROGRAM = (str(INSTALLED),) if INSTALLED.exists() else (sys.executable, "-m", "orchestrator")


def best(action: Callable[[], object], times: int = 5) -> float:
    """The shortest of several runs, in seconds."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def show(
    what: str, seconds: float, target: float | None, against: str = "", ratio: float = 0.0
) -> None:
    verdict = (
        "" if target is None else f"{'ok' if seconds <= target else 'MISSED'} (≤ {target:.2f} s)"
    )
    compared = f"{ratio:5.2f} x {against}" if against else ""
    print(f"{what:<44} {seconds:7.3f} s  {compared:<32} {verdict}", flush=True)


def command(*arguments: str) -> Callable[[], object]:
    return lambda: subprocess.run(arguments, check=True, capture_output=True)


def start_up() -> None:
    bare = best(command(sys.executable, "-c", "pass"), 10)
    for flag in ("--version", "--help"):
        seconds = best(command(*PROGRAM, flag), 10)
        show(flag, seconds, 0.1, "python -c pass", seconds / bare)


def a_build(registry: RealRegistry, scratch: Path) -> None:
    project = make_project(scratch / "echo")
    project.env |= {
        "MODULES_MODULE_SOURCE": f"{registry.address}/modules",
        "ORCHESTRATOR_BUILDER": "buildah",
        "PYTHONPATH": "",
    }

    def build(*more: str) -> None:
        done = project.run("build", *more, program=PROGRAM)
        assert done.code == 0, done.err

    first = best(build, 1)
    show("first build of two images", first, None)
    again = best(build)
    show("nothing to do, whole process", again, 0.35, "first build", again / first)
    numbers = iter(range(1, 1000))
    new = best(lambda: build("--tag", f"v2.0.{next(numbers)}"))
    show("a new version of the same images", new, None, "nothing to do", new / again)


def many_images(scratch: Path) -> None:
    """render, digests and the plan in one process; linear in the number of images."""
    before: float | None = None
    for count in (10, 100, 1000):
        seconds = _many(scratch / str(count), count)
        per_image = f"{seconds / before:.1f} times as long for 10 times as many" if before else ""
        target = 2.0 if count == 1000 else None
        show(f"render, digests and plan of {count} images", seconds, target)
        if per_image:
            print(f"{'':<44} {per_image}")
        before = seconds


def _many(directory: Path, count: int) -> float:
    from orchestrator import git, module, werf_config
    from orchestrator.artifacts import images_digests
    from orchestrator.builders.dockerfile import unpinned
    from orchestrator.model import Digest
    from orchestrator.process import LocalRunner
    from orchestrator.shape import Shape

    project = Project(directory)
    project.write("module.yaml", "name: many\n")
    for number in range(count):
        project.write(f"images/image-{number}/Dockerfile", "FROM scratch\nCOPY . /\n")
    project.git("init", "-q")
    project.commit()

    def once() -> None:
        runner = LocalRunner(os.environ)
        snapshot = git.snapshot(runner, directory, with_dirty=False)
        tree = git.Tree(runner, directory, snapshot.tree)
        made = module.load(tree)
        sources = werf_config.collect(tree, directory, made, Shape(), args={}, values={})
        config = werf_config.make(sources).text
        assert unpinned(config, tree) is None
        images_digests({i.name: Digest("sha256:" + "0" * 64) for i in made.images})

    return best(once, 3)


def the_tail(registry: RealRegistry, scratch: Path) -> None:
    """Module, release and catalog image, by us in one process and by crane as scripts do today."""
    crane = shutil.which("crane")
    project = make_project(scratch / "tail")
    project.env |= {"ORCHESTRATOR_BUILDER": "buildah", "PYTHONPATH": ""}
    sources = iter(range(1000))

    def ours() -> tuple[float, float]:
        """(whole process, the tail in it: what it takes longer than one with nothing to do)."""
        source = f"{registry.address}/tail-{next(sources)}"
        done = project.run("build", "--until", "digests", "--source", source, program=PROGRAM)
        assert done.code == 0, done.err
        started = time.perf_counter()
        done = project.run("build", "--source", source, program=PROGRAM)
        assert done.code == 0, done.err
        whole = time.perf_counter() - started
        idle = best(lambda: project.run("build", "--source", source, program=PROGRAM), 3)
        return whole, whole - idle

    whole, tail = (min(each) for each in zip(*(ours() for _ in range(5)), strict=True))
    if crane is None:
        show("our tail", tail, None)
        return
    bundle, release, empty = (scratch / f"{name}.tar" for name in ("bundle", "release", "empty"))
    subprocess.run(["tar", "-cf", empty, "-T", "/dev/null"], check=True)
    digests = json.loads((project.directory / ".orchestrator/images_digests.json").read_text())
    subprocess.run(
        ["tar", "-cf", bundle, "-C", project.directory, "module.yaml", "templates"], check=True
    )
    subprocess.run(["tar", "-cf", release, "-C", project.directory, "module.yaml"], check=True)

    def theirs() -> None:
        source = f"{registry.address}/crane-{next(sources)}"
        for layer, target in (
            (bundle, f"{source}/echo:v1.0.0"),
            (release, f"{source}/echo/release:v1.0.0"),
            (empty, f"{source}:echo"),
        ):
            subprocess.run(
                [crane, "append", "--oci-empty-base", "-f", str(layer), "-t", target],
                check=True,
                capture_output=True,
            )
        # The read-back that ours includes, of the module, the release and the images.
        for target in (f"{source}/echo:v1.0.0", f"{source}/echo/release:v1.0.0"):
            subprocess.run([crane, "digest", target], check=True, capture_output=True)
        assert digests

    by_crane = best(theirs)
    show("the tail by crane: 3 x append, 2 x digest", by_crane, None)
    show("our tail, within a build", tail, by_crane, "crane", tail / by_crane)
    show("our tail, as a process of its own", whole, None, "crane", whole / by_crane)


def inspection(registry: RealRegistry) -> None:
    """Lists and files, by us and by crane."""
    source = f"{registry.address}/inspected"
    _tags(source, [f"module-{number}" for number in range(1500)])
    _tags(f"{source}/echo", [f"v1.{number}.0" for number in range(1000)])
    crane = shutil.which("crane")
    reference = f"{source}/echo:v1.0.0"
    for what, ours, theirs in (
        ("list 1,500 modules", ("ls", "modules", source), f"crane ls {source}"),
        ("list 1,000 tags", ("ls", "images", f"{source}/echo"), f"crane ls {source}/echo"),
        ("list files", ("ls", "files", reference), f"crane export {reference} - | tar -tf -"),
        (
            "which version uses what, 1,000 versions",
            ("ls", "images", "-o", "json", f"{source}/echo"),
            "",
        ),
    ):
        seconds = best(command(*PROGRAM, *ours), 3)
        if crane is None or not theirs:
            show(what, seconds, None)
            continue
        by_crane = best(command("bash", "-c", theirs), 3)
        show(what, seconds, 0.5, f"crane, {by_crane:.3f} s", seconds / by_crane)


def _tags(place: str, names: list[str]) -> None:
    """One small module image under many names."""
    from orchestrator.model import Repository
    from orchestrator.process import LocalRunner
    from orchestrator.registry import image
    from orchestrator.registry.client import Registry

    client = Registry.connect(env={}, runner=LocalRunner({}))
    repository = Repository.parse(place)
    files = [image.LayerFile(path="images_digests.json", data=b"{}\n")]
    made = image.assemble(files, annotations={}, created=None)
    image.push(client, made, repository.tagged(names[0]))
    client.map(
        lambda name: client.put_manifest(
            repository.tagged(name), made.manifest, "application/vnd.oci.image.manifest.v1+json"
        ),
        names[1:],
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as name, real_registry(Path(name) / "registry") as registry:
        scratch = Path(name)
        start_up()
        a_build(registry, scratch)
        many_images(scratch)
        the_tail(registry, scratch)
        inspection(registry)


if __name__ == "__main__":
    main()
