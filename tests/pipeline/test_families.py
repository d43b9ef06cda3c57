"""Modules shaped as public ones are, from their tree to a real registry by the stand-in for werf."""

import json
import shutil
from pathlib import Path

import pytest

from orchestrator.model import Repository
from orchestrator.registry.layer import read_layers
from orchestrator.verify.run import verify
from tests.harness import Project, RealRegistry, put_werf
from tests.unit.registry.conftest import connect
from tests.unit.test_families import EXPECTED, FAMILIES


def family(name: str, tmp_path: Path, registry: RealRegistry, gorender: Path) -> Project:
    directory = tmp_path / "work" / name
    shutil.copytree(FAMILIES / name, directory)
    project = Project(directory)
    project.env |= {
        "MODULES_MODULE_SOURCE": f"{registry.address}/modules",
        "GORENDER": str(gorender),
    }
    put_werf(project, tmp_path / "tools")
    project.git("init", "-q", "-b", "main")
    project.write(".gitignore", "images_tags_werf.json\n")
    project.commit()
    done = project.run("render", "--giterminism")
    assert done.code == 0, done.err
    project.commit(tag="v1.0.0")
    return project


def files(registry: RealRegistry, reference: str) -> dict[str, tuple[bytes, bool]]:
    repository, _, tag = reference.rpartition(":")
    client = connect()
    place = Repository.parse(f"{registry.address}/{repository}")
    manifest = client.manifest(place.tagged(tag))
    assert manifest is not None
    (layer,) = read_layers(client, place, manifest.layers)
    return {entry.name: (entry.data, bool(entry.mode & 0o100)) for entry in layer if entry.is_file}


@pytest.mark.parametrize("name", ["storage", "dockerfile", "monolith", "versions", "template"])
def test_published(name: str, tmp_path: Path, registry: RealRegistry, gorender: Path) -> None:
    project = family(name, tmp_path, registry, gorender)
    done = project.run("build")
    assert done.code == 0, done.err
    module = json.loads((project.directory / ".orchestrator/report.json").read_text())["module"][
        "name"
    ]
    found = files(registry, f"modules/{module}:v1.0.0")
    expected = {path for path in EXPECTED[name]["module"] if not path.endswith("*")}
    assert expected <= set(found)
    extra = {path.removesuffix("*") for path in EXPECTED[name]["module"] if path.endswith("*")}
    places = [path.replace("hooks/go-hooks", "hooks/go") for path in extra]
    for path in set(found) - expected:
        assert path.startswith((*extra, *places)), path
    assert sorted(json.loads(found["images_digests.json"][0])) == EXPECTED[name]["keys"]
    released = files(registry, f"modules/{module}/release:v1.0.0")
    assert sorted(released) == EXPECTED[name]["release"]
    place = Repository.parse(f"{registry.address}/modules/{module}")
    assert [str(each) for each in verify(connect(), place, "v1.0.0").errors] == []
    registry.forget()
    again = project.run("build")
    assert again.code == 0 and again.last == done.last, again.err
    assert registry.writes() == []
    assert project.run("render", "--check").code == 0


def test_hooks_and_notes_of_the_storage_family(
    tmp_path: Path, registry: RealRegistry, gorender: Path
) -> None:
    project = family("storage", tmp_path, registry, gorender)
    done = project.run("build")
    assert done.code == 0, done.err
    found = files(registry, "modules/csi-demo:v1.0.0")
    assert found["hooks/go-hooks"][1], "a hook has to be executable"
    assert not any(path.startswith("hooks/go/") for path in found)
    assert found["openapi/values.yaml"][0] == b"type: object\nproperties: {}\n"
    notes = found["docs/RELEASE_NOTES.md"][0].decode()
    assert notes.index("## v0.2.0") < notes.index("## v0.1.0")
    assert "* Первое" in found["docs/RELEASE_NOTES.ru.md"][0].decode()


def test_hooks_of_the_monolith_keep_their_directory(
    tmp_path: Path, registry: RealRegistry, gorender: Path
) -> None:
    project = family("monolith", tmp_path, registry, gorender)
    done = project.run("build")
    assert done.code == 0, done.err
    assert "hooks/go/helm-demo-module-hooks" in files(registry, "modules/helm-demo:v1.0.0")


def test_giterminism_that_allows_too_little_is_refused_with_what_it_lacks(
    tmp_path: Path, registry: RealRegistry, gorender: Path
) -> None:
    project = family("storage", tmp_path, registry, gorender)
    project.write(
        "werf-giterminism.yaml", "giterminismConfigVersion: 1\nconfig: {allowUncommitted: true}\n"
    )
    project.commit(tag="v1.0.1")
    registry.forget()
    refused = project.run("build", "--tag", "v1.0.1")
    assert refused.code == 78
    assert "lacks config.goTemplateRendering.allowEnvVariables: GOPROXY" in refused.err
    assert "orchestrator render --giterminism" in refused.err
    check = project.run("render", "--check")
    assert check.code == 1 and "+      - 'GOPROXY'" in check.out


def test_every_edition_in_its_place(tmp_path: Path, registry: RealRegistry, gorender: Path) -> None:
    project = family("editions", tmp_path, registry, gorender)
    lost = project.run("build", "--edition", "all")
    assert lost.code == 78 and "{edition}" in lost.err
    source = f"{registry.address}/{{edition}}/modules"
    assert project.run("build", "--source", source).code == 78
    done = project.run("build", "--edition", "all", "--source", source)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    places = [line.partition("@")[0] for line in lines]
    assert places == [
        f"{registry.address}/{edition}/modules/virt-demo" for edition in ("ce", "ee", "se-plus")
    ]
    ce, ee = (
        files(registry, "ce/modules/virt-demo:v1.0.0"),
        files(registry, "ee/modules/virt-demo:v1.0.0"),
    )
    assert b"description: ce" in ce["openapi/values.yaml"][0]
    assert b"description: all" in ee["openapi/values.yaml"][0]
    assert set(ee) - set(ce) == {"templates/audit/b.yaml", "templates/extra.yaml"}
    again = project.run("build", "--edition", "all", "--source", source, "-o", "json")
    assert set(json.loads(again.out)["editions"]) == {"ce", "ee", "se-plus"}
    one = project.run("build", "--edition", "ee", "--source", source)
    assert one.code == 0 and "nothing to do" in one.err
