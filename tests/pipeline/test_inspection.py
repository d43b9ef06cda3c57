"""Every recipe of Deckhouse's module development guide, answered as crane and tar answer it."""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.model import Digest, Repository
from orchestrator.process import LocalRunner
from orchestrator.registry import image as image_
from orchestrator.registry.client import Registry
from orchestrator.registry.manifest import OCI_INDEX, OCI_MANIFEST
from tests.harness import Done, Project, RealRegistry, make_project

Crane = Callable[..., str]
FIRST = "d4bf3e71015d1e757a8481536eeabda98f51f1891d68b539cc50753a-1589714365467"
SECOND = "e6073b8f03231e122fa3b7d3294ff69a5060c332c4395e7d0b3231e3-1589714362300"


@dataclass
class Desk:
    """Runs the program as a user would, with a cache of its own."""

    registry: RealRegistry
    home: Path

    def __call__(self, *arguments: str, **environ: str) -> Done:
        project = Project(self.home, {"XDG_CACHE_HOME": str(self.home / "cache"), **environ})
        return project.run(*arguments)

    def ok(self, *arguments: str) -> str:
        done = self(*arguments)
        assert (done.code, done.err) == (0, ""), done.err
        return done.out

    @property
    def source(self) -> str:
        return f"{self.registry.address}/modules-source"

    @property
    def client(self) -> Registry:
        return Registry.connect(env={}, runner=LocalRunner(os.environ), retries=0)

    def push(self, place: str, tag: str, files: Mapping[str, bytes], note: str = "") -> Digest:
        made = image_.assemble(
            [image_.LayerFile(path=path, data=data) for path, data in files.items()],
            annotations={"note": note} if note else {},
            created=None,
        )
        return image_.push(self.client, made, Repository.parse(place).tagged(tag))

    def layered(self, place: str, tag: str, *layers: bytes, note: str = "") -> None:
        """An image of these very blobs."""
        repository, client = Repository.parse(place), self.client
        blobs = [b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"}}', *layers]
        described = []
        for blob in blobs:
            digest = Digest("sha256:" + hashlib.sha256(blob).hexdigest())
            client.put_blob(repository, digest, len(blob), lambda blob=blob: [blob])
            described.append({"digest": digest, "size": len(blob), "mediaType": image_.LAYER_TYPE})
        config = {**described[0], "mediaType": image_.CONFIG_TYPE}
        manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config}
        manifest |= {"layers": described[1:], "annotations": {"note": note}}
        client.put_manifest(repository.tagged(tag), json.dumps(manifest).encode(), OCI_MANIFEST)


@pytest.fixture
def desk(tmp_path: Path, registry: RealRegistry) -> Desk:
    (tmp_path / "home").mkdir()
    return Desk(registry, tmp_path / "home")


def publish_example(desk: Desk) -> None:
    """The module source that the guide draws."""
    for module, versions in (
        ("module-1", ("v1.23.1", "v1.23.2")),
        ("module-2", ("v0.30.147", "v0.31.1")),
    ):
        place = f"{desk.source}/{module}"
        images = {
            "backend": desk.push(place, FIRST, {"backend": b"1"}, module),
            "frontend": desk.push(place, SECOND, {"frontend": b"2"}, module),
        }
        for version in versions:
            text = json.dumps({"version": version}, separators=(",", ":")).encode()
            digests = json.dumps(images, indent=2).encode() + b"\n"
            files = {"module.yaml": b"name: x\n", "templates/a.yaml": b"a", "version.json": text}
            desk.push(place, version, {**files, "images_digests.json": digests})
            channel = "alpha" if version == versions[1] else "beta"
            for tag in (version, channel):
                desk.push(f"{place}/release", tag, {"version.json": text, "module.yaml": b"x: y\n"})
        desk.push(desk.source, module, {"empty": b""}, module)


def shell(command: str) -> str:
    """What a recipe prints, with the messages of crane left out."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    return done.stdout.decode()


def test_every_recipe_of_the_guide(desk: Desk, crane: Crane) -> None:
    publish_example(desk)
    module = f"{desk.source}/module-1"
    recipes = {
        ("ls", "modules", desk.source): f"crane ls {desk.source}",
        ("ls", "images", module): f"crane ls {module}",
        (
            "ls",
            "files",
            f"{module}:v1.23.1",
        ): f"crane export {module}:v1.23.1 - | tar -tf -",
        (
            "cat",
            f"{module}:v1.23.1",
            "images_digests.json",
        ): f"crane export {module}:v1.23.1 - | tar -Oxf - images_digests.json",
        ("ls", "releases", module): f"crane ls {module}/release",
        ("version", module, "alpha"): (
            f"crane export {module}/release:alpha - | tar -Oxf - version.json"
        ),
    }
    for arguments, recipe in recipes.items():
        assert desk.ok(*arguments) == shell(recipe), arguments
    assert set(desk.ok("ls", "modules", desk.source).split()) == {"module-1", "module-2"}
    assert desk.ok("version", module, "alpha") == '{"version":"v1.23.2"}'
    assert set(desk.ok("ls", "images", module).split()) == {"v1.23.1", "v1.23.2", FIRST, SECOND}


def test_the_tree_is_the_one_that_the_guide_draws(desk: Desk) -> None:
    publish_example(desk)
    assert desk.ok("tree", desk.source) == (
        f"{desk.registry.address}\n"
        "📁 modules-source\n"
        "├─ 📁 module-1\n"
        "│  ├─ 📦 v1.23.1\n"
        f"│  ├─ 📦 {FIRST}\n"
        f"│  ├─ 📦 {SECOND}\n"
        "│  ├─ 📦 v1.23.2\n"
        "│  └─ 📁 release\n"
        "│     ├─ 📝 v1.23.1\n"
        "│     ├─ 📝 v1.23.2\n"
        "│     ├─ 📝 alpha\n"
        "│     └─ 📝 beta\n"
        "└─ 📁 module-2\n"
        "   ├─ 📦 v0.30.147\n"
        f"   ├─ 📦 {FIRST}\n"
        f"   ├─ 📦 {SECOND}\n"
        "   ├─ 📦 v0.31.1\n"
        "   └─ 📁 release\n"
        "      ├─ 📝 v0.30.147\n"
        "      ├─ 📝 v0.31.1\n"
        "      ├─ 📝 alpha\n"
        "      └─ 📝 beta\n"
    )
    desk.registry.forget()
    quick = desk.ok("tree", "--quick", desk.source).splitlines()
    assert quick[3:7] == [
        "│  ├─ 📦 v1.23.1",
        "│  ├─ 📦 v1.23.2",
        f"│  ├─ 📦 {FIRST}",
        f"│  ├─ 📦 {SECOND}",
    ]
    assert len(desk.registry.requests()) == 1 + 2 * 2
    # The terminal's locale does not matter.
    assert desk("tree", desk.source, LANG="C", LC_ALL="C").code == 0


def test_tables_and_json_say_what_belongs_together(desk: Desk) -> None:
    publish_example(desk)
    module = f"{desk.source}/module-1"
    images = json.loads(desk.ok("ls", "images", "-o", "json", module))["images"]
    by_tag = {image["tag"]: image for image in images}
    assert by_tag[FIRST]["names"] == ["backend"]
    assert by_tag[FIRST]["usedBy"] == ["v1.23.1", "v1.23.2"]
    assert by_tag[FIRST]["kind"] == "content"
    assert by_tag["v1.23.1"]["images"]["backend"] == by_tag[FIRST]["digest"]
    releases = json.loads(desk.ok("ls", "releases", "-o", "json", module))["releases"]
    assert [(each["tag"], each["version"]) for each in releases] == [
        ("v1.23.1", "v1.23.1"),
        ("v1.23.2", "v1.23.2"),
        ("alpha", "v1.23.2"),
        ("beta", "v1.23.1"),
    ]
    table = desk.ok("ls", "releases", "-o", "table", module).splitlines()
    assert table[0].split() == ["TAG", "KIND", "VERSION", "DIGEST"]
    assert table[3].split()[:3] == ["alpha", "channel", "v1.23.2"]
    said = json.loads(desk.ok("version", "-o", "json", module, "beta"))
    assert said["version"] == "v1.23.1"
    files = json.loads(desk.ok("ls", "files", "-o", "json", f"{module}:v1.23.1"))["files"]
    assert {"name": "module.yaml", "kind": "file", "mode": "0644", "size": 8, "link": None} in files
    tree = json.loads(desk.ok("tree", "-o", "json", desk.source))
    assert [each["name"] for each in tree["modules"]] == ["module-1", "module-2"]
    assert desk.ok("tree", "-o", "table", desk.source).count("\n") == 1 + 2 * 8


def test_service_tags_of_werf_are_hidden(desk: Desk) -> None:
    module = f"{desk.source}/echo"
    for tag in ("managed-image-backend", "meta-a_b_c", "sync-server", "v1.0.0", "main", FIRST):
        desk.push(module, tag, {"module.yaml": b"name: echo\n"})
    assert set(desk.ok("ls", "images", module).split()) == {FIRST, "main", "v1.0.0"}
    everything = desk.ok("ls", "images", "--all", module)
    assert everything == shell(f"crane ls {module}")
    assert "managed-image-backend" in everything


def test_lists_take_one_request(desk: Desk) -> None:
    publish_example(desk)
    for arguments in (
        ("ls", "modules", desk.source),
        ("ls", "images", f"{desk.source}/module-1"),
        ("ls", "releases", f"{desk.source}/module-1"),
    ):
        desk.registry.forget()
        desk.ok(*arguments)
        assert len(desk.registry.requests()) == 1


def test_blobs_are_read_once(desk: Desk) -> None:
    publish_example(desk)
    reference = f"{desk.source}/module-1:v1.23.1"

    def blobs(*more: str) -> int:
        desk.registry.forget()
        desk.ok("cat", *more, reference, "module.yaml")
        return sum("/blobs/" in path for _, path, _ in desk.registry.requests())

    assert (blobs("--no-cache"), blobs(), blobs(), blobs("--no-cache")) == (1, 1, 0, 1)
    (cached,) = (desk.home / "cache" / "orchestrator" / "sha256").iterdir()
    cached.write_bytes(b"something else")
    assert blobs() == 1
    # A cache that cannot be is no reason to fail.
    shutil.rmtree(desk.home / "cache")
    (desk.home / "cache").write_text("a file in its place")
    assert blobs() == 1


def test_what_is_not_there_is_told_with_what_is(desk: Desk) -> None:
    publish_example(desk)
    source, module = desk.source, f"{desk.source}/module-1"
    for arguments, said in (
        (("ls", "files", f"{module}:v1.23.3"), "did you mean v1.23."),
        (("ls", "images", f"{source}/module-l"), "did you mean module-"),
        (("ls", "releases", f"{source}/modul-1"), "did you mean module-1?"),
        (("version", module, "aplha"), "did you mean alpha?"),
        (("cat", f"{module}:v1.23.1", "module.yml"), "did you mean module.yaml?"),
        (("cat", f"{module}:v1.23.1", "templates"), "is no file but a directory"),
        (("cat", f"{module}:alpha", "module.yaml"), f"it lies in {module}/release:alpha"),
        (("ls", "modules", f"{source}-x"), "lists no modules"),
        (("ls", "modules", module), "it is a module and no module source"),
        (("diff", f"{module}:v1.23.1", f"{module}:v1.23.9"), "did you mean v1.23."),
    ):
        done = desk(*arguments)
        assert (done.code, done.out) == (1, ""), arguments
        assert said in done.err and "-> " in done.err and "Traceback" not in done.err, done.err
    desk.push(source, "module-3", {"a": b""})
    desk.push(f"{source}/module-3", "main", {"a": b""})
    assert "module-3 has no releases" in desk("ls", "releases", f"{source}/module-3").err


def test_a_source_that_may_not_be_listed(tmp_path: Path, crane: Crane) -> None:
    from tests.harness import real_registry

    passwords = tmp_path / "htpasswd"
    passwords.write_text("user:$2y$05$" + "a" * 53 + "\n")
    extra = f"auth: {{htpasswd: {{realm: here, path: {passwords}}}}}\n"
    with real_registry(tmp_path / "closed", extra=extra) as closed:
        (tmp_path / "home").mkdir()
        desk = Desk(closed, tmp_path / "home")
        done = desk("ls", "modules", desk.source)
    assert done.code == 1
    assert f"DKP lists modules by the tags of {desk.source} itself" in done.err


def test_a_closed_pipe_is_quiet(desk: Desk) -> None:
    publish_example(desk)
    module = f"{desk.source}/module-1"
    desk.push(module, "v2.0.0", {f"files/{number:05}": b"x" for number in range(4000)})
    project = Project(desk.home)
    for verb in ("ls files", "cat"):
        file = "files/00001" if verb == "cat" else ""
        command = f"{sys.executable} -m orchestrator {verb} {module}:v2.0.0 {file} | true"
        done = subprocess.run(
            ["bash", "-c", command], env=project.base_env(), capture_output=True, check=True
        )
        assert done.stderr == b""


def tarball(*entries: tuple[str, bytes, bytes | str], pax: bool = True) -> bytes:
    """(name, type byte, content or link) as a gzipped layer."""
    output = io.BytesIO()
    form = tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT
    with tarfile.open(fileobj=output, mode="w", format=form) as archive:
        for name, kind, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = kind, 0o755 if kind == tarfile.DIRTYPE else 0o644
            if isinstance(content, str):
                entry.linkname = content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(output.getvalue(), mtime=0)


def test_layers_are_flattened_as_crane_does(desk: Desk, crane: Crane) -> None:
    file, folder, link = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE
    long = "deep/" * 40 + "name"
    lower = tarball(
        ("./bin/", folder, b""),
        ("./bin/old", file, b"old"),
        ("./bin/kept", file, b"kept"),
        ("etc/", folder, b""),
        ("etc/gone/", folder, b""),
        ("etc/gone/a", file, b"a"),
        ("twice", file, b"first"),
        ("twice", file, b"second"),
        ("replaced/", folder, b""),
        ("replaced/inside", file, b"x"),
        (long, file, b"long"),
    )
    upper = tarball(
        ("bin/", folder, b""),
        ("bin/.wh.old", file, b""),
        ("etc/.wh.gone", file, b""),
        ("replaced", file, b"now a file"),
        ("имя файла", file, "да".encode()),
        ("tab\there\\and\x07bell", file, b""),
        ("dir/../cleaned", file, b"c"),
        ("link", link, "bin/kept"),
        pax=False,
    )
    place = f"{desk.source}/layers"
    desk.layered(place, "v1.0.0", lower, upper)
    reference = f"{place}:v1.0.0"
    listed = desk.ok("ls", "files", reference)
    assert listed == shell(f"crane export {reference} - | tar -tf -")
    assert "tab\\there\\\\and\\abell" in listed
    for name in ("bin/kept", "twice", "replaced", long, "имя файла", "cleaned"):
        printed = desk.ok("cat", reference, name)
        assert printed == shell(f"crane export {reference} - | tar -Oxf - '{name}'")
    assert "is no file but a symlink to bin/kept" in desk("cat", reference, "link").err
    assert "has no file bin/old" in desk("cat", reference, "bin/old").err


def test_large_layers_are_streamed(desk: Desk, crane: Crane) -> None:
    """The file goes to disk, the layer nowhere; nothing is printed before it is checked."""
    large = random.Random(1).randbytes(60 * 1024 * 1024)
    place = f"{desk.source}/large"
    layer = tarball(("small", tarfile.REGTYPE, b"s"), ("large", tarfile.REGTYPE, large))
    desk.layered(place, "v1.0.0", layer)
    assert desk.ok("cat", f"{place}:v1.0.0", "small") == "s"
    assert desk.ok("ls", "files", f"{place}:v1.0.0") == "small\nlarge\n"
    wrap = ("bash", "-c", 'ulimit -v 400000; "$@" | sha256sum', "bash")
    done = Project(desk.home).run("cat", f"{place}:v1.0.0", "large", wrap=wrap)
    assert done.out.split()[0] == hashlib.sha256(large).hexdigest(), done.err
    assert not (desk.home / "cache").exists()
    # The registry gives other bytes: not one of them is printed.
    digest = hashlib.sha256(layer).hexdigest()
    path = desk.registry.log.parent / "data/docker/registry/v2/blobs/sha256"
    stored = path / digest[:2] / digest / "data"
    stored.write_bytes(layer[:-9] + b"x" + layer[-8:])
    done = desk("cat", f"{place}:v1.0.0", "small")
    assert (done.code, done.out) == (1, ""), done.err


def test_an_index_is_read_for_linux_amd64(desk: Desk, crane: Crane) -> None:
    place = Repository.parse(f"{desk.source}/index")
    ours = desk.push(str(place), "one", {"for": b"amd64"})
    other = desk.push(str(place), "two", {"for": b"arm64"})
    children = [
        {
            "digest": digest,
            "size": desk.client.head(place.at(digest)).size,  # type: ignore[union-attr]
            "mediaType": OCI_MANIFEST,
            "platform": {"os": "linux", "architecture": name},
        }
        for digest, name in ((other, "arm64"), (ours, "amd64"))
    ]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}
    desk.client.put_manifest(place.tagged("both"), json.dumps(index).encode(), OCI_INDEX)
    for _ in range(2):
        assert desk.ok("cat", f"{place}:both", "for") == "amd64"
    assert desk.ok("ls", "files", f"{place}:both") == shell(
        f"crane export {place}:both - | tar -tf -"
    )


def test_hostile_layers_are_refused_in_little_memory(desk: Desk) -> None:
    place = f"{desk.source}/hostile"
    whole = gzip.decompress(tarball(("a", tarfile.REGTYPE, b"x" * 2000)))
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 8 * 1024**3 - 1
    bomb = header.tobuf(tarfile.GNU_FORMAT) + bytes(64 * 1024 * 1024)
    layers = {
        "garbage": b"no tar at all, and no gzip either" * 40,
        "truncated": gzip.compress(whole)[:-40],
        "short": whole[:1500],
        "damaged": whole[:2560] + b"\xff" * 512 + whole[3072:],
        "zstd": b"\x28\xb5\x2f\xfd" + bytes(100),
        "header": gzip.compress(bomb),
        "corrupt": gzip.compress(whole)[:30] + b"\0\0\0\0\0\0\0\0" + gzip.compress(whole)[38:],
    }
    for tag, layer in layers.items():
        desk.layered(place, tag, layer)
        wrap = ("bash", "-c", 'ulimit -v 600000; exec "$@"', "bash")
        done = Project(desk.home).run("ls", "files", f"{place}:{tag}", wrap=wrap)
        assert (done.code, done.out) == (1, ""), tag
        assert "layer" in done.err and "Traceback" not in done.err, (tag, done.err)
    zeros = gzip.compress(bytes(512 * 1024 * 1024), 9)
    desk.layered(place, "zeros", zeros)
    done = Project(desk.home).run("ls", "files", f"{place}:zeros", wrap=wrap)
    assert (done.code, done.out) == (0, ""), done.err


def test_a_manifest_that_is_none(desk: Desk) -> None:
    place = f"{desk.source}/strange"
    desk.layered(place, "many", *[tarball((str(n), tarfile.REGTYPE, b"")) for n in range(300)])
    assert "has 300 layers" in desk("ls", "files", f"{place}:many").err
    desk.layered(place, "v1.0.0", tarball(("images_digests.json", tarfile.REGTYPE, b"[1, 2]")))
    desk.layered(place, "v1.0.1", tarball(("images_digests.json", tarfile.REGTYPE, b'{"a": 1}')))
    done = desk("ls", "images", "-o", "json", place)
    assert done.code == 0 and done.err.startswith("warning: many: ")
    found = {image["tag"]: image for image in json.loads(done.out)["images"]}
    assert "has 300 layers" in found["many"]["problem"]
    assert found["v1.0.1"]["images"] == {} and found["v1.0.1"]["problem"] is None
    desk.layered(f"{place}/release", "alpha", tarball(("version.json", tarfile.REGTYPE, b"{")))
    (release,) = json.loads(desk.ok("ls", "releases", "-o", "json", place))["releases"]
    assert release["version"] is None
    assert desk.ok("version", place, "alpha") == "{"
    assert "names no version" in desk("diff", f"{place}:alpha", f"{place}:v1.0.0").err


@pytest.fixture
def published(tmp_path: Path, registry: RealRegistry) -> Project:
    """The echo module, published as v1.0.0 and, changed, as v1.1.0, which is on alpha."""
    project = make_project(tmp_path / "work" / "echo")
    project.env |= {
        "MODULES_MODULE_SOURCE": f"{registry.address}/modules",
        "ORCHESTRATOR_BUILDER": "buildah",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    assert project.run("build").code == 0
    schema = "type: object\nrequired: [host]\nproperties:\n  host: {type: string}\n"
    project.write("openapi/config-values.yaml", schema)
    project.write("images/backend/rootfs/echo.sh", "#!/bin/sh\necho other\n")
    project.write("hooks/new.sh", "#!/bin/sh\n")
    (project.directory / "hooks/new.sh").chmod(0o755)
    project.git("mv", "crds/echo.yaml", "crds/answer.yaml")
    crd = (project.directory / "crds/answer.yaml").read_text()
    project.write("crds/answer.yaml", crd.replace("kind: Echo", "kind: Answer"))
    text = (project.directory / "module.yaml").read_text()
    project.write("module.yaml", text.replace("weight: 910", "weight: 911"))
    project.commit(tag="v1.1.0")
    assert project.run("build").code == 0
    place = Repository.parse(f"{registry.address}/modules/echo/release")
    client = Registry.connect(env={}, runner=LocalRunner(os.environ), retries=0)
    manifest = client.manifest(place.tagged("v1.1.0"))
    assert manifest is not None
    client.put_manifest(place.tagged("alpha"), manifest.data, manifest.media_type)
    return project


def test_diff_of_two_versions(published: Project, registry: RealRegistry) -> None:
    module = f"{registry.address}/modules/echo"
    done = published.run("diff", "--exit-code", f"{module}:v1.0.0", f"{module}:alpha")
    assert (done.code, done.err) == (1, "")
    lines = done.out.splitlines()
    assert lines[0] == "v1.0.0 -> alpha (v1.1.0)"
    for line in (
        "  + host: string, required without a default  BREAKING",
        "  - replicas  BREAKING",
        "  + Answer.example.deckhouse.io",
        "  - Echo.example.deckhouse.io  BREAKING",
        "  ~ weight: 910 -> 911",
        "  ~ backend: rebuilt, 1.0 MiB",
        "  + hooks/new.sh: 10 B",
    ):
        assert line in lines, (line, done.out)
    assert "  - crds/echo.yaml: " in done.out and "  + crds/answer.yaml: " in done.out
    assert "frontend" not in done.out
    same = published.run("diff", "--exit-code", f"{module}:alpha", f"{module}:v1.1.0")
    assert (same.code, same.out.splitlines()[-1]) == (0, "no difference")
    notes = published.run("diff", "-o", "markdown", f"{module}:v1.0.0", f"{module}:v1.1.0").out
    assert notes.startswith("## Changes from v1.0.0 to v1.1.0\n\n### Breaking changes\n\n")
    assert "sha256" not in notes
    value = json.loads(
        published.run("diff", "-o", "json", f"{module}:v1.0.0", f"{module}:alpha").out
    )
    assert value["breaking"] and value["differs"]
    assert [(each["name"], each["kind"]) for each in value["images"]] == [("backend", "rebuilt")]


def test_diff_with_the_work_tree(published: Project, registry: RealRegistry) -> None:
    module = f"{registry.address}/modules/echo"
    # The last build made images_digests.json of this very tree.
    done = published.run("diff", "--exit-code", f"{module}:v1.1.0")
    assert (done.code, done.out.splitlines()[-1]) == (0, "no difference"), done.out
    assert "~ backend: rebuilt" in published.run("diff", f"{module}:v1.0.0").out
    published.write("images/backend/rootfs/echo.sh", "#!/bin/sh\necho third\n")
    published.write("docs/README.md", "changed\n")
    done = published.run("diff", "--exit-code", f"{module}:v1.1.0")
    assert done.code == 1
    assert "? backend: by name only" in done.out and "~ docs/README.md" in done.out
    shutil.rmtree(published.directory / ".orchestrator")
    before = published.git("status", "--porcelain", "--ignored")
    assert "? frontend: by name only" in published.run("diff", f"{module}:v1.1.0").out
    assert published.git("status", "--porcelain", "--ignored") == before
    other = published.run("diff", f"{registry.address}/modules/other:v1.0.0")
    assert other.code == 1 and "did you mean" not in other.out
    assert published.run("diff", "-C", "/nowhere", f"{module}:v1.1.0").code == 78
