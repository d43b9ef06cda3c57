"""Each rule is broken once, in a real registry, and found; an unbroken version has no finding."""

import io
import json
import re
import tarfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from orchestrator.errors import RegistryError
from orchestrator.fsio import sha256
from orchestrator.model import Digest, Repository
from orchestrator.registry.client import Registry
from orchestrator.registry.copy import copy
from orchestrator.registry.image import LayerFile, assemble, push
from orchestrator.registry.manifest import OCI_INDEX, OCI_MANIFEST
from orchestrator.verify import around
from orchestrator.verify.finding import RULES, Verification, as_json, as_junit
from orchestrator.verify.run import MODULE_ANNOTATION, verify
from tests.harness import RealRegistry, real_registry
from tests.unit.registry.conftest import connect

MODULE_YAML = b"name: echo\nweight: 900\n"
V = "v1.0.0"
HEX = "a" * 56
ASKS = b'{{ include "helm_lib_module_image" (list . "%s") }}'


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with real_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def registry() -> Registry:
    return connect()


class Version:
    """A published version to be broken before it is published."""

    def __init__(self, registry: Registry, source: Repository, name: str = "echo") -> None:
        self.registry = registry
        self.source = source
        self.repository = source / name
        app = assemble(
            [LayerFile(path="app", data=str(source).encode())], annotations={}, created=None
        )
        self.app = push(registry, app, self.repository.tagged(f"{HEX}-1234567890123"))
        self.module: dict[str, bytes] = {
            "module.yaml": MODULE_YAML,
            "Chart.yaml": b"name: echo\n",
            "templates/a.yaml": ASKS % b"app",
            "images_digests.json": json.dumps({"app": self.app}).encode(),
            "openapi/values.yaml": b"type: object\n",
        }
        self.release: dict[str, bytes] = {
            "module.yaml": MODULE_YAML,
            "version.json": b'{"version":"v1.0.0"}',
        }
        self.annotation: str | None = None

    def publish(self, *, catalog: bool = True) -> None:
        files = [LayerFile(path=path, data=data) for path, data in self.module.items()]
        image = assemble(files, annotations={}, created=None)
        push(self.registry, image, self.repository.tagged(V))
        annotations = {MODULE_ANNOTATION: self.annotation or str(image.digest)}
        files = [LayerFile(path=path, data=data) for path, data in self.release.items()]
        made = assemble(files, annotations=annotations, created=None)
        push(self.registry, made, (self.repository / "release").tagged(V))
        if catalog:
            push(
                self.registry,
                assemble([], annotations={}, created=None),
                self.source.tagged("echo"),
            )

    def found(self, tag: str = V, *, deep: bool = False) -> Verification:
        return verify(self.registry, self.repository, tag, deep=deep)


@pytest.fixture
def version(registry: Registry, real: RealRegistry, request: pytest.FixtureRequest) -> Version:
    place = sha256(request.node.name.encode())[7:19]
    return Version(registry, Repository.parse(f"{real.address}/s{place}"))


def told(found: Verification) -> dict[int, str]:
    return {each.rule: f"{each.level}: {each.message}" for each in found.violations}


def test_nothing_is_wrong(version: Version) -> None:
    version.publish()
    found = version.found(deep=True)
    assert found.violations == []
    assert (found.images, found.blobs, found.version) == (1, 6, V)


@pytest.mark.parametrize(
    ("rule", "files", "says"),
    [
        (2, {"release/version.json": b'{"version":"1.0.0"}'}, "error: .*version.json is"),
        (2, {"release/version.json": b'{"version":"v1.0.0","x":1}'}, "error"),
        (2, {"release/version.json": None}, "error: .*no version.json"),
        (3, {"module.yaml": b"name: other\n", "release/module.yaml": b"name: other\n"}, "error: .*'other'"),
        (3, {"Chart.yaml": b"name: other\n"}, "error: .*Chart.yaml names 'other'"),
        (4, {"release/module.yaml": None}, "error: .*no module.yaml"),
        (4, {"release/module.yaml": b"name: echo\n"}, "error: module.yaml differs"),
        (4, {"release/changelog.yaml": b"- a\n"}, "warning: .*changelog.yaml:1: not a map"),
        (5, {"module.yaml": None}, "error: .*no module.yaml"),
        (5, {"module.yaml": b"name: echo\nstage: X\n"}, "error: .*stage"),
        (5, {"module.yaml": b"name: echo\nnew: 1\n"}, "warning: .*unknown key"),
        (5, {"module.yaml": b"name: echo\nupdate: {versions: [{from: '0.9', to: '1.1'}]}\n"}, "error: .*1.1"),
        (6, {"enabled": b"#!"}, "error: .*cannot be executed"),
        (6, {"hooks/a.py": b"#!/usr/bin/env python3\n__name__ == '__main__'\n"}, "error: .*cannot be"),
        (7, {"images_digests.json": None}, "error: .*is missing"),
        (7, {"images_digests.json": b"[1]"}, "error: .*no JSON object"),
        (7, {"images_digests.json": b'{"app": {"x": 1}}'}, "error: .*no digest"),
        (7, {"images_digests.json": b'{"app":"x","app":"y"}'}, "error"),
        (8, {"images_digests.json": b'{"app": "sha256:%s"}' % (b"0" * 64)}, "error: .*is not there"),
        (9, {"templates/b.yaml": ASKS % b"ap"}, "error: .*did you mean app"),
        (9, {"templates/a.yaml": b"nothing"}, "warning: .*no template uses the image app"),
        (10, {"openapi/values.yaml": b"type: array\n"}, "error: .*no schema of type object"),
        (10, {"openapi/values.yaml": b"type: object\nproperties: {registry: {required: [x]}}\n"},
         "warning: .*registry"),
        (10, {"openapi/conversions/v2.yaml": b"", "openapi/conversions/v4.yaml": b""}, "error: .*gap"),
        (10, {"openapi/conversions/two.yaml": b""}, "error: .*not named vN"),
        (19, {"extra_images.json": b'{"tool": "v9"}'}, "error: .*extra/tool:v9"),
        (21, {"docs/huge": b"\0" * (101 * 1024 * 1024)}, "warning: .*101 MiB"),
    ],
)  # fmt: skip
def test_contents(version: Version, rule: int, files: dict[str, bytes | None], says: str) -> None:
    for name, data in files.items():
        place = version.release if name.startswith("release/") else version.module
        path = name.removeprefix("release/")
        if data is None:
            del place[path]
        else:
            place[path] = data
    version.publish()
    assert re.match(says, told(version.found())[rule])


def test_an_index_of_platforms(version: Version) -> None:
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [{"mediaType": OCI_MANIFEST, "digest": version.app, "size": 1}],
        }
    ).encode()
    version.registry.put_manifest(version.repository.tagged("idx"), index, OCI_INDEX)
    version.module["images_digests.json"] = json.dumps({"app": sha256(index)}).encode()
    version.publish()
    assert "is an index" in told(version.found())[8]


def test_what_is_missing(version: Version) -> None:
    assert {13, 17} <= set(told(version.found()))
    version.publish(catalog=False)
    assert set(told(version.found())) == {17}


def test_versions_come_in_pairs_and_sources_list_modules_only(version: Version) -> None:
    version.publish()
    empty = assemble([], annotations={}, created=None)
    push(version.registry, empty, version.repository.tagged("v0.9.0"))
    push(version.registry, empty, (version.repository / "release").tagged("v0.8.0"))
    push(version.registry, empty, version.source.tagged("Latest"))
    found = version.found()
    assert found.errors == []
    assert [(each.rule, each.message.rpartition("/")[2]) for each in found.warnings] == [
        (13, "echo lacks v0.8.0"),
        (13, "release lacks v0.9.0"),
        (17, f"{version.source.last}:Latest names no module, but DKP may list it as one"),
    ]


def test_a_moved_module_image(version: Version) -> None:
    version.annotation = "sha256:" + "1" * 64
    version.publish()
    assert "released sha256:1111" in told(version.found())[11]


def test_an_image_that_no_tag_keeps(version: Version, real: RealRegistry) -> None:
    loose = assemble([LayerFile(path="x", data=b"loose")], annotations={}, created=None)
    push(version.registry, loose, version.repository.tagged("dev"))
    version.module["images_digests.json"] = json.dumps({"app": loose.digest}).encode()
    version.publish()
    assert "no content-based tag names" in told(version.found())[18]


def test_an_attestation_that_no_mirror_finds(version: Version) -> None:
    version.publish()
    digest = version.registry.head(version.repository.tagged(V)).digest  # type: ignore[union-attr]
    other = assemble([], annotations={"a": "b"}, created=None)
    push(version.registry, other, version.repository.tagged(f"sha256-{digest.hex}.att"))
    assert "is not found by d8 mirror" in told(version.found())[16]


def test_a_lost_blob(version: Version, real: RealRegistry, tmp_path: Path) -> None:
    version.publish()
    manifest = version.registry.manifest(version.repository.at(version.app))
    assert manifest is not None
    digest = manifest.layers[0].digest
    link = f"{version.repository.path}/_layers/sha256/{digest.hex}/link"
    (real.log.parent / "data/docker/registry/v2/repositories" / link).unlink()
    assert f"its blob {digest} is not there" in told(version.found())[8]


def test_channels(version: Version) -> None:
    version.publish()
    releases = version.repository / "release"
    assert "is not there" in told(version.found("stable"))[14]
    assert "orchestrator promote VERSION stable" in version.found("stable").errors[0].fix
    copy(version.registry, releases.tagged(V), releases.tagged("stable"))
    found = version.found("stable")
    assert found.violations == []
    assert found.version == V
    other = assemble(
        [LayerFile(path="version.json", data=b'{"version":"v1.0.0"}')], annotations={}, created=None
    )
    push(version.registry, other, releases.tagged("beta"))
    assert "promote the version again" in version.found("beta").errors[0].fix
    early = assemble(
        [LayerFile(path="version.json", data=b'{"version":"main"}')], annotations={}, created=None
    )
    push(version.registry, early, releases.tagged("alpha"))
    assert "holds 'main'" in told(version.found("alpha"))[1]
    assert "did you mean stable" in told(version.found("stabel"))[14]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"name": "a..b"}, "DKP refuses an image with .."),
        ({"name": "dir/file"}, "no entry before it"),
        ({"name": "link", "type": tarfile.SYMTYPE, "linkname": "x"}, "no file and no directory"),
        ({"name": "pipe", "type": tarfile.FIFOTYPE}, "no file and no directory"),
        ({"name": "locked", "type": tarfile.DIRTYPE, "mode": 0o555}, "not writable by its owner"),
        ({"name": "./x"}, "names begin with ./"),
    ],
)
def test_layers_that_others_made(version: Version, entry: dict[str, object], says: str) -> None:
    version.publish()
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for path, data in version.module.items():
            if "/" not in path:
                info = tarfile.TarInfo(path)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        info = tarfile.TarInfo()
        info.mode = 0o755
        for name, value in entry.items():
            setattr(info, name, value)
        archive.addfile(info)
    layer = output.getvalue()
    config = b'{"os":"linux","architecture":"amd64"}'
    blobs = [("application/vnd.oci.image.config.v1+json", config)]
    blobs.append(("application/vnd.oci.image.layer.v1.tar", layer))
    described = []
    for kind, data in blobs:
        digest = sha256(data)
        version.registry.put_blob(version.repository, digest, len(data), partial(list, (data,)))
        described.append({"mediaType": kind, "digest": digest, "size": len(data)})
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": described[0],
        "layers": described[1:],
    }
    data = json.dumps(manifest).encode()
    version.registry.put_manifest(version.repository.tagged(V), data, OCI_MANIFEST)
    assert says in told(version.found())[6]


def test_forms_for_machines(version: Version) -> None:
    version.module["Chart.yaml"] = b"name: <other>\n"
    version.publish()
    found = version.found()
    value = as_json(found)
    assert not value["ok"]
    assert value["violations"][0]["rule"] == 3
    assert value["violations"][0]["title"] == RULES[3]
    suite = ET.fromstring(as_junit(found))
    assert suite.get("tests") == "21"
    assert suite.get("failures") == "1"
    (failure,) = suite.iter("failure")
    assert "'<other>'" in (failure.get("message") or "")


def test_a_source_that_may_not_be_listed(version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    version.publish()
    whole = version.registry.tags

    def tags(repository: Repository) -> list[str]:
        if repository == version.source:
            raise RegistryError("GET tags: HTTP 403", status=403)
        return whole(repository)

    monkeypatch.setattr(version.registry, "tags", tags)
    assert set(told(version.found())) == {20}


CONFIG = "openapi/config-values.yaml"


def publish_before(version: Version, schema: bytes) -> None:
    """v0.9.0 with these settings."""
    files = [LayerFile(path="module.yaml", data=MODULE_YAML), LayerFile(path=CONFIG, data=schema)]
    image = assemble(files, annotations={}, created=None)
    push(version.registry, image, version.repository.tagged("v0.9.0"))
    push(version.registry, image, (version.repository / "release").tagged("v0.9.0"))


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (b"type: object\nproperties: {n: {type: integer, default: x}}\n", "n.default does not fit"),
        (b"type: object\nproperties: {n: {enum: [a], default: b}}\n", "is none of a"),
        (
            b"type: object\nproperties: {pattern: {type: string, default: 1}}\n",
            "not of type string",
        ),
        (b"type: object\ndefault: {n: 1}\nproperties: {n: {type: string}}\n", "not of type string"),
    ],
)
def test_defaults_that_do_not_fit(version: Version, schema: bytes, says: str) -> None:
    version.module[CONFIG] = schema
    version.publish()
    (violation,) = version.found().errors
    assert violation.rule == 10
    assert says in violation.message


def test_a_pattern_cannot_hold_verify_up(version: Version) -> None:
    version.module[CONFIG] = (
        b"type: object\nproperties: {n: {type: string, pattern: '^(a+)+$', default: %s!}}\n"
        % (b"a" * 60)
    )
    version.publish()
    assert version.found().errors == []


def test_a_setting_that_is_required_from_now_on(version: Version) -> None:
    publish_before(version, b"type: object\nrequired: [a]\nproperties: {a: {type: string}}\n")
    version.module[CONFIG] = (
        b"type: object\nrequired: [a, b, c]\n"
        b"properties: {a: {type: string}, b: {type: string}, c: {type: string, default: x}}\n"
    )
    version.publish()
    found = version.found()
    assert found.errors == []
    (warning,) = found.warnings
    assert warning.rule == 10
    assert f"{CONFIG}: b is required, was not so in v0.9.0, and has no default" in warning.message


@pytest.mark.parametrize("part", ["config", "layers"])
@pytest.mark.parametrize("more", [-1, 1])
def test_sizes_that_are_not_as_described(version: Version, part: str, more: int) -> None:
    version.publish()
    there = version.registry.manifest(version.repository.tagged(V))
    assert there is not None
    value = json.loads(there.data)
    described = value["config"] if part == "config" else value["layers"][0]
    described["size"] += more
    data = json.dumps(value).encode()
    version.registry.put_manifest(version.repository.tagged(V), data, OCI_MANIFEST)
    said = told(version.found())[13]
    assert described["digest"] in said
    assert "its manifest says" in said or "is larger than" in said


def test_a_digest_that_was_not_expected(version: Version) -> None:
    version.publish()
    there = version.registry.head(version.repository.tagged(V))
    assert there is not None
    assert verify(version.registry, version.repository, V, expected=there.digest).errors == []
    other = Digest("sha256:" + "1" * 64)
    (error,) = verify(version.registry, version.repository, V, expected=other).errors
    assert (error.rule, error.message.endswith(f"is {there.digest}, not {other}")) == (12, True)


def test_a_version_that_moves_while_it_is_read(
    version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    version.publish()
    # A registry on a file system may answer 500 while a tag is written.
    version.registry = connect(retries=3)
    before = version.found().digest
    listed = version.registry.tags
    other = assemble([LayerFile(path="x", data=b"")], annotations={}, created=None)

    def tags(repository: Repository) -> list[str]:
        push(version.registry, other, version.repository.tagged(V))
        return listed(repository)

    monkeypatch.setattr(version.registry, "tags", tags)
    assert told(version.found())[12] == (
        f"error: {version.repository}:{V} was {before} and is {other.digest}: "
        "it moved while it was read"
    )


def around_of(version: Version) -> list[str]:
    found = version.found()
    assert found.errors == []
    around.check_channels(version.registry, version.repository, found)
    assert found.errors == []
    return [each.message for each in found.warnings if each.rule == 18]


def test_what_channels_hold_is_kept(version: Version) -> None:
    version.publish()
    releases = version.repository / "release"
    copy(version.registry, releases.tagged(V), releases.tagged("alpha"))
    assert around_of(version) == []
    files = [LayerFile(path="version.json", data=b'{"version":"v0.9.0"}')]
    release = assemble(files, annotations={}, created=None)
    for channel in ("beta", "stable"):
        push(version.registry, release, releases.tagged(channel))
    assert around_of(version) == [
        f"v0.9.0 of beta, stable: {releases}:v0.9.0 is not there",
        f"v0.9.0 of beta, stable: {version.repository}:v0.9.0 is not there",
    ]
    gone = "sha256:" + "2" * 64
    digests = json.dumps({"app": str(version.app), "old": gone}).encode()
    files = [LayerFile(path="images_digests.json", data=digests)]
    module = assemble(files, annotations={}, created=None)
    push(version.registry, module, version.repository.tagged("v0.9.0"))
    push(version.registry, release, releases.tagged("v0.9.0"))
    assert around_of(version) == [f"v0.9.0 of beta, stable: its image old ({gone}) is not there"]
    bad = assemble(
        [LayerFile(path="images_digests.json", data=b"[]")], annotations={}, created=None
    )
    push(version.registry, bad, version.repository.tagged("v0.9.0"))
    assert "cannot be read" in around_of(version)[0]


def test_readers_without_credentials(version: Version, tmp_path: Path) -> None:
    version.publish()
    found = version.found()
    around.check_anonymous(connect(), version.repository, found)
    assert found.violations == []
    auth = f"auth: {{htpasswd: {{realm: test, path: {tmp_path}/htpasswd}}}}\n"
    with real_registry(tmp_path / "closed", extra=auth) as closed:
        repository = Repository.parse(f"{closed.address}/modules/echo")
        around.check_anonymous(connect(), repository, found)
    assert found.errors == found.warnings == []
    (note,) = found.violations
    assert (note.rule, note.level) == (20, "note")
    assert note.message == (
        f"{repository}:{V}, {repository}/release:{V}, the modules of {repository.parent} "
        "cannot be read without credentials"
    )
    assert as_json(found)["ok"]
