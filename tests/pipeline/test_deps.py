"""`deps` on a real registry: what is pinned, what a check sees, what is left alone."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.fsio import canonical_json, sha256
from orchestrator.model import Digest, Repository
from orchestrator.registry.client import Registry
from orchestrator.registry.image import LayerFile, assemble, push
from orchestrator.registry.manifest import OCI_MANIFEST
from tests.harness import Project, RealRegistry, make_project
from tests.unit.lint.modules import packed_chart
from tests.unit.registry.conftest import connect

OLD = "sha256:" + "0" * 64
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


@pytest.fixture
def client() -> Registry:
    return connect()


@pytest.fixture
def module(tmp_path: Path) -> Project:
    return make_project(tmp_path / "work" / "echo", tag=None)


def artifact(client: Registry, place: Repository, tag: str, data: bytes, kind: str) -> Digest:
    """As `oras push` and `helm push` store a file."""
    config = b"{}"
    for blob in (config, data):
        client.put_blob(place, Digest(sha256(blob)), len(blob), lambda blob=blob: iter([blob]))
    manifest = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": sha256(config),
                "size": 2,
            },
            "layers": [{"mediaType": kind, "digest": sha256(data), "size": len(data)}],
        }
    )
    return client.put_manifest(place.tagged(tag), manifest, OCI_MANIFEST)


def image(client: Registry, place: Repository, tag: str, text: str) -> Digest:
    made = assemble([LayerFile(path="text", data=text.encode())], annotations={}, created=None)
    return push(client, made, place.tagged(tag))


def test_a_map_out_of_a_registry(registry: RealRegistry, client: Registry, module: Project) -> None:
    place = Repository.parse(f"{registry.address}/base/map")
    new = "sha256:" + "1" * 64
    source = f"REGISTRY_PATH: elsewhere\nbuilder/alpine: {new}\nbuilder/other: {new}\n"
    artifact(client, place, "v1", source.encode(), "text/yaml")
    module.write("orchestrator.yaml", f"deps:\n  base_images:\n    from: {place}:v1\n")
    ours = f"# ours\nREGISTRY_PATH: registry.example.io/base\nbuilder/alpine: '{OLD}' # bases\n"
    module.write("base_images.yml", ours)
    assert module.run("deps", "check").code == 1
    done = module.run("deps", "update")
    assert (done.code, done.out) == (0, "base_images.yml\norchestrator.lock\n")
    assert (module.directory / "base_images.yml").read_text() == ours.replace(OLD, new)
    lock = json.loads((module.directory / "orchestrator.lock").read_text())
    assert lock["base_images"] == {
        "from": f"{place}:v1",
        "read": sha256(source.encode()),
        "file": "base_images.yml",
        "images": {"builder/alpine": new},
    }
    assert module.run("deps", "update").out == ""
    assert module.run("deps", "check").code == 0
    registry.forget()
    assert module.run("deps", "check", "--offline").code == 0
    assert registry.requests() == []
    artifact(client, place, "v1", source.replace("1" * 64, "2" * 64).encode(), "text/yaml")
    stale = module.run("deps", "check")
    assert stale.code == 1
    assert stale.out == (
        "base_images.yml: not what its source says\norchestrator.lock: not what the sources say\n"
    )
    assert "orchestrator deps update" in stale.err
    assert module.run("deps", "check", "--offline").code == 0


def test_a_map_inside_an_image(registry: RealRegistry, client: Registry, module: Project) -> None:
    place = Repository.parse(f"{registry.address}/base/image")
    text = f"REGISTRY_PATH: registry.example.io/base\nbuilder/alpine: {OLD}\n"
    made = assemble(
        [LayerFile(path="base_images.yml", data=text.encode())], annotations={}, created=None
    )
    push(client, made, place.tagged("v1"))
    module.write("orchestrator.yaml", f"deps:\n  base_images:\n    from: {place}:v1\n")
    assert module.run("deps", "update").code == 0
    assert (module.directory / "base_images.yml").read_text() == text


def test_images_asked_for_by_their_tags(
    registry: RealRegistry, client: Registry, module: Project, crane: Callable[..., str]
) -> None:
    place = Repository.parse(f"{registry.address}/base")
    digest = image(client, place / "alpine", "3.20", "alpine")
    module.write("orchestrator.yaml", f"deps:\n  base_images:\n    from: {place}\n")
    module.write("base_images.yml", f"REGISTRY_PATH: {place}\nALPINE: 'alpine:3.20@{OLD}'\n")
    assert module.run("deps", "update").code == 0
    assert f"alpine:3.20@{digest}'" in (module.directory / "base_images.yml").read_text()
    assert crane("digest", f"{place}/alpine:3.20").strip() == digest
    module.write("base_images.yml", f"ALPINE: alpine:3.20@{OLD}\nGO: golang:1@{OLD}\nX: '{OLD}'\n")
    done = module.run("deps", "update")
    assert done.code == 78
    assert f"base_images.yml:2: GO: {place}/golang:1 is not there" in done.err
    assert "base_images.yml:3: X: there is no tag to ask for" in done.err


def test_lib_helm_out_of_a_registry(
    registry: RealRegistry, client: Registry, module: Project
) -> None:
    place = Repository.parse(f"{registry.address}/charts/deckhouse_lib_helm")
    chart = packed_chart("1.72.13")
    artifact(client, place, "1.72.13", chart, CHART_LAYER)
    module.write("orchestrator.yaml", f"deps:\n  lib_helm:\n    from: oci://{place}:1.72.13\n")
    (module.directory / "charts").mkdir()
    (module.directory / "charts/deckhouse_lib_helm-1.62.2.tgz").write_bytes(packed_chart("1.62.2"))
    before = (module.directory / "Chart.yaml").read_text()
    done = module.run("deps", "update")
    assert done.out.splitlines() == [
        "charts/deckhouse_lib_helm-1.72.13.tgz",
        "Chart.yaml",
        "orchestrator.lock",
        "charts/deckhouse_lib_helm-1.62.2.tgz",
    ]
    assert [file.name for file in (module.directory / "charts").iterdir()] == [
        "deckhouse_lib_helm-1.72.13.tgz"
    ]
    after = (module.directory / "Chart.yaml").read_text()
    assert after == before.replace("version: 1.62.2", "version: 1.72.13") != before
    lock = json.loads((module.directory / "orchestrator.lock").read_text())
    assert lock["lib_helm"]["read"] == sha256(chart)
    assert module.run("deps", "check").code == 0
    module.write("Chart.yaml", before)
    (module.directory / "charts/deckhouse_lib_helm-1.72.13.tgz").write_bytes(b"forged")
    out = module.run("deps", "check", "--offline")
    assert out.code == 1
    assert "Chart.yaml: the lock says lib-helm 1.72.13\n" in out.out
    assert f"the lock says {sha256(chart)}" in out.out


def test_local_files_and_nothing_else(registry: RealRegistry, module: Project) -> None:
    module.write("orchestrator.yaml", "deps:\n  lib_helm:\n    from: ../lib.tgz\n")
    (module.directory.parent / "lib.tgz").write_bytes(packed_chart("1.70.0"))
    assert module.run("deps", "update").code == 0
    assert module.run("deps", "check").code == 0
    found = module.run("lint", "-o", "json")
    assert [each["rule"] for each in json.loads(found.out)["defects"]] == []
    (module.directory.parent / "lib.tgz").write_bytes(packed_chart("1.70.0", name="other"))
    done = module.run("deps", "update")
    assert done.code == 78
    assert "is the chart other" in done.err


@pytest.mark.parametrize(
    ("yaml", "says"),
    [
        ("", "orchestrator.yaml has no deps:"),
        ("deps: {lib_helm: {from: ./none.tgz}}", "there is no file ./none.tgz"),
        ("deps: {base_images: {from: '%s/none:v1'}}", "none:v1 is not there"),
        ("deps: {base_images: {from: '%s/base'}}", "base_images.yml is not there"),
        ("deps: {lib_helm: {form: x}}", "did you mean from?"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    registry: RealRegistry, module: Project, yaml: str, says: str
) -> None:
    module.write("orchestrator.yaml", yaml.replace("%s", registry.address))
    before = subprocess.run(
        ["git", "status", "--porcelain"], cwd=module.directory, capture_output=True, check=True
    ).stdout
    done = module.run("deps", "update")
    assert done.code == 78
    assert says in done.err
    assert "->" in done.err
    assert before == (
        subprocess.run(
            ["git", "status", "--porcelain"], cwd=module.directory, capture_output=True, check=True
        ).stdout
    )


def test_a_key_that_is_gone(module: Project) -> None:
    module.write("orchestrator.yaml", "deps:\n  base_images:\n    from: ./new.yml\n")
    module.write("new.yml", f"builder/alpine-3: {OLD}\n")
    module.write("base_images.yml", f"# x\nbuilder/alpine: {OLD}\n")
    done = module.run("deps", "update")
    assert done.code == 78
    assert (
        "base_images.yml:2: ./new.yml has no builder/alpine; did you mean builder/alpine-3?"
        in done.err
    )


def test_offline_sees_every_difference(module: Project) -> None:
    module.write("orchestrator.yaml", "deps:\n  base_images:\n    from: ./new.yml\n")
    module.write("new.yml", f"a: {OLD}\nb: {OLD}\n")
    assert module.run("deps", "check", "--offline").out == "orchestrator.lock: missing\n"
    assert module.run("deps", "update").code == 0
    other = "sha256:" + "9" * 64
    module.write("base_images.yml", f"# first\na: {other}\nc: {OLD}\n")
    module.write("orchestrator.yaml", "deps:\n  base_images:\n    from: ./newer.yml\n")
    assert module.run("deps", "check", "--offline").out.splitlines() == [
        "base_images.yml: b is in the lock only",
        f"base_images.yml:2: a: the lock says {OLD}",
        "base_images.yml:3: c is not in the lock",
        "orchestrator.lock: base_images is from ./new.yml, not from ./newer.yml",
    ]
