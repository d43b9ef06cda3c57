"""`orchestrator init` in empty and in real trees: what it writes can be published."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from orchestrator.artifacts import image_key
from tests.harness import ROOT, Project, RealRegistry, make_project, put_werf


def everything(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    project = Project(tmp_path / "work" / "my-module")
    project.directory.mkdir(parents=True)
    project.git("init", "-q", "-b", "main")
    return project


@pytest.fixture
def classic(tmp_path: Path) -> Project:
    """A module with hand-written werf files, and the stand-in for werf on PATH."""
    project = make_project(tmp_path / "work" / "classic", "classic")
    put_werf(project, tmp_path / "tools")
    return project


def test_an_empty_repository_becomes_a_module(empty: Project, registry: RealRegistry) -> None:
    dry = empty.run("init", "--dry-run", "--ci", "gitlab")
    assert "would write module.yaml" in dry.out
    assert everything(empty.directory) == {}
    first = empty.run("init", "--ci", "gitlab")
    assert first.code == 0, first.err
    assert "wrote .gitlab-ci.yml" in first.out
    before = everything(empty.directory)
    again = empty.run("init", "--ci", "gitlab")
    assert again.code == 0
    assert "nothing to do" in again.err
    assert "wrote" not in again.out
    assert everything(empty.directory) == before
    empty.commit(tag="v0.1.0")
    done = empty.run("build", "--source", f"{registry.address}/modules", "--builder", "buildah")
    assert done.code == 0, done.err
    assert registry.tags("modules") and "v0.1.0" in registry.tags("modules/my-module/release")
    assert empty.git("status", "--porcelain") == ""


def test_a_directory_that_is_not_there_yet(empty: Project) -> None:
    done = empty.run("init", "sub/other-module")
    assert done.code == 0, done.err
    assert "name: other-module" in (empty.directory / "sub/other-module/module.yaml").read_text()


def test_a_real_module_keeps_its_files(tmp_path: Path) -> None:
    project = make_project(tmp_path / "work" / "echo")
    before = everything(project.directory)
    done = project.run("init", "--ci", "github")
    assert done.code == 0, done.err
    after = everything(project.directory)
    assert {path: after[path] for path in before} == before
    new = {path for path in after if not path.startswith(".orchestrator/")} - set(before)
    assert new == {".github/workflows/module.yaml", "orchestrator.yaml"}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("init", "--name", "Not A Name"), 78, "is not a module name"),
        (("init", "file"), 64, "is no directory"),
        (("init", "--ci", "travis"), 64, "is not one of"),
        (("init", "Bad Name"), 64, "give the module's name with --name"),
    ],
)
def test_refusals_write_nothing(
    empty: Project, arguments: tuple[str, ...], code: int, says: str
) -> None:
    (empty.directory / "file").write_text("")
    done = empty.run(*arguments)
    assert done.code == code
    assert says in done.err
    assert sorted(everything(empty.directory)) == ["file"]


def test_a_migration(classic: Project, registry: RealRegistry) -> None:
    classic.env["MODULES_MODULE_SOURCE"] = f"{registry.address}/modules"
    before = everything(classic.directory)
    dry = classic.run("init", "--migrate", "--dry-run")
    assert dry.code == 0, dry.err
    assert "would move werf.yaml" in dry.out
    assert everything(classic.directory) == before
    done = classic.run("init", "--migrate")
    assert done.code == 0, done.err
    assert "proven" in done.err
    assert "werf-giterminism.yaml lacks `allowUncommitted: true`" in done.err
    after = everything(classic.directory)
    assert "werf.yaml" not in after
    assert not (classic.directory / ".werf").exists()
    moved = {path for path in before if path == "werf.yaml" or path.startswith(".werf/")}
    assert {path: after[f".orchestrator-migrated/{path}"] for path in moved} == {
        path: before[path] for path in moved
    }
    again = classic.run("init", "--migrate")
    assert (again.code, everything(classic.directory)) == (0, after), again.err
    assert "there is no hand-written werf config" in again.err
    giterminism = "giterminismConfigVersion: 1\nconfig: {allowUncommitted: true}\n"
    classic.write("werf-giterminism.yaml", giterminism)
    classic.commit(tag="v1.0.1")
    built = classic.run("build", "--tag", "v1.0.1")
    assert built.code == 0, built.err


def test_the_generated_config_is_rendered_without_what_would_go(
    classic: Project, tmp_path: Path
) -> None:
    program = tmp_path / "tools" / "werf"
    seen = tmp_path / "seen"
    script = program.read_text().replace("exec ", f'echo "$2" * .werf* >> {seen}\nexec ')
    program.write_text(script)
    assert classic.run("init", "--migrate").code == 0
    own, generated = (line.split() for line in seen.read_text().splitlines())
    assert ".werf" in own
    assert ".werf" not in generated
    assert "werf.yaml" in generated


def test_a_migration_that_was_cut_off_is_finished(classic: Project) -> None:
    (classic.directory / ".orchestrator-migrated").mkdir()
    aside = classic.directory / ".orchestrator-migrated"
    (classic.directory / "werf.yaml").rename(aside / "werf.yaml")
    for path in (classic.directory / ".werf/stages").iterdir():
        classic.write(f".orchestrator-migrated/.werf/stages/{path.name}", path.read_text())
    done = classic.run("init", "--migrate")
    assert done.code == 0, done.err
    assert not (classic.directory / ".werf").exists()


def test_templates_of_another_kind_are_not_taken_for_leftovers(classic: Project) -> None:
    classic.write(".orchestrator-migrated/werf.yaml", "")
    classic.write(".orchestrator-migrated/.werf/stages/bundle.yaml", "other")
    (classic.directory / "werf.yaml").unlink()
    before = everything(classic.directory / ".werf")
    done = classic.run("init", "--migrate")
    assert done.code == 0, done.err
    assert everything(classic.directory / ".werf") == before


@pytest.mark.parametrize(
    ("path", "old", "new", "says"),
    [
        (".werf/stages/images.yaml", "image: server", "image: srv", "image srv: the generated"),
        (".werf/stages/images.yaml", "context: images/server", "context: images", "context would"),
        (".werf/stages/images-digests.yaml", "DIGEST_server\n", "DIGEST_x\n", "has no key x"),
        (".werf/stages/bundle.yaml", "      - docs\n", "", "hand-written one lacks docs/README.md"),
        (".werf/stages/release.yaml", "      - changelog.yaml\n", "", "lacks changelog.yaml"),
        ("werf.yaml", "$ }}", "$ | nothing }}", "the hand-written config cannot be rendered"),
    ],
    ids=["image", "context", "key", "bundle", "release", "template"],
)
def test_what_is_not_the_same_is_not_moved(
    classic: Project, path: str, old: str, new: str, says: str
) -> None:
    text = (classic.directory / path).read_text()
    assert old in text
    classic.write(path, text.replace(old, new))
    before = everything(classic.directory)
    done = classic.run("init", "--migrate")
    assert done.code == 78, done.err
    assert says in done.err
    assert "nothing was moved" in done.err
    assert everything(classic.directory) == before


def test_without_werf_nothing_is_proven(classic: Project) -> None:
    before = everything(classic.directory)
    done = classic.run("init", "--migrate", env={"PATH": "/usr/bin:/bin"})
    assert done.code == 69
    assert "cannot be proven" in done.err
    assert everything(classic.directory) == before


def test_a_copy_that_differs_is_not_overwritten(classic: Project) -> None:
    classic.write(".orchestrator-migrated/.werf/stages/release.yaml", "other\n")
    before = everything(classic.directory)
    done = classic.run("init", "--migrate")
    assert done.code == 78
    assert ".orchestrator-migrated/.werf/stages/release.yaml: is there and differs" in done.err
    assert everything(classic.directory) == before


HAND_WRITTEN = {
    "werf.yaml": """project: echo-demo
configVersion: 1
---
{{ tpl (.Files.Get ".werf/stages/base-images.yaml") $ }}
{{ tpl (.Files.Get ".werf/stages/images.yaml") $ }}
{{ tpl (.Files.Get ".werf/stages/rest.yaml") $ }}
""",
    ".werf/stages/base-images.yaml": """
{{- $images := .Files.Get "base_images.yml" | fromYaml }}
{{- range $key, $digest := $images }}
{{- if ne $key "REGISTRY_PATH" }}
---
image: {{ $key }}
from: {{ $images.REGISTRY_PATH }}@{{ $digest }}
final: false
{{- end }}
{{- end }}
""",
    ".werf/stages/images.yaml": """
{{- $root := . }}
{{- range $path, $content := .Files.Glob "images/*/werf.inc.yaml" }}
---
{{ tpl $content (dict "ImageName" ($path | split "/")._1 "ModuleName" "echo-demo" "Files" $root.Files) }}
{{- end }}
""",
    ".werf/stages/rest.yaml": """
---
image: batch-hooks
fromImage: builder/golang-alpine
final: false
git: [{add: /, to: /src, includePaths: [hooks/batch]}]
shell: {setup: [go build -o /usr/local/bin/batchhooks]}
---
image: digests
final: false
fromImage: tools/jq
dependencies:
- image: echo-demo/echoServer
  before: setup
  imports: [{type: ImageDigest, targetEnv: MODULE_IMAGE_DIGEST_echoServer}]
shell: {setup: [make digests]}
---
image: bundle
from: scratch
import:
- {image: digests, add: /, to: /, includePaths: [images_digests.json, version.json], after: setup}
- {image: batch-hooks, add: /usr/local/bin/batchhooks, to: /hooks/batchhooks, after: setup}
git:
- add: /
  to: /
  excludePaths: [hooks/batch]
  includePaths: [enabled, hooks, openapi, templates, Chart.yaml, module.yaml, values.yaml]
---
image: release-channel-version
from: scratch
import: [{image: digests, add: /version.json, to: /version.json, after: install}]
git: [{add: /, to: /, includePaths: [module.yaml]}]
""",
    ".werf/defines/unused.tmpl": '{{ define "unused" }}{{ end }}\n',
}


def test_a_family_leaves_its_hand_written_files_behind(
    tmp_path: Path, registry: RealRegistry, gorender: Path
) -> None:
    directory = tmp_path / "work" / "template"
    shutil.copytree(ROOT / "tests" / "data" / "families" / "template", directory)
    project = Project(directory)
    project.env |= {
        "GORENDER": str(gorender),
        "MODULES_MODULE_SOURCE": f"{registry.address}/modules",
    }
    put_werf(project, tmp_path / "tools")
    for path, text in HAND_WRITTEN.items():
        project.write(path, text.replace("from: scratch", "from: registry.example.io/scratch"))
    project.git("init", "-q", "-b", "main")
    project.commit(tag="v1.0.0")
    first = project.run("init", "--migrate")
    assert first.code == 0, first.err
    left = {path for path in everything(directory) if path.startswith((".werf", "werf"))}
    assert left == {".werf/defines/unused.tmpl"} | ({"werf-giterminism.yaml"} & left)
    before = everything(directory)
    again = project.run("init", "--migrate")
    assert (again.code, everything(directory)) == (0, before), again.err
    assert project.run("render", "--giterminism").code == 0
    project.write(".gitignore", (directory / ".gitignore").read_text() + "images_tags_werf.json\n")
    project.commit(tag="v1.0.1")
    built = project.run("build", "--tag", "v1.0.1")
    assert built.code == 0, built.err


def test_a_migration_that_would_change_an_image_is_refused(tmp_path: Path, gorender: Path) -> None:
    directory = tmp_path / "work" / "template"
    shutil.copytree(ROOT / "tests" / "data" / "families" / "template", directory)
    project = Project(directory)
    project.env["GORENDER"] = str(gorender)
    put_werf(project, tmp_path / "tools")
    for path, text in HAND_WRITTEN.items():
        based = text.replace("from: scratch", "from: registry.example.io/scratch")
        project.write(path, based.replace("hooks, openapi", "hooks, hack, openapi"))
    project.write("hack/tool.sh", "x\n")
    project.git("init", "-q", "-b", "main")
    project.commit()
    before = everything(directory)
    refused = project.run("init", "--migrate")
    assert refused.code == 78
    assert "module image bundle: the generated one lacks hack/tool.sh" in refused.err
    assert {path: data for path, data in everything(directory).items() if path in before} == before


@pytest.mark.parametrize("name", ["dockerfile", "editions", "monolith", "storage", "versions"])
def test_each_family_migrates_once_or_is_told_why_not(
    name: str, tmp_path: Path, gorender: Path
) -> None:
    """The hand-written config builds the same images, a bundle from git and hooks, and a release."""
    families = ROOT / "tests" / "data" / "families"
    expected = yaml.safe_load((families / "expected.yaml").read_text())[name]
    directory = tmp_path / "work" / name
    shutil.copytree(families / name, directory)
    project = Project(directory)
    project.env["GORENDER"] = str(gorender)
    put_werf(project, tmp_path / "tools")
    images = (families / "rendered" / f"{name}.rendered.yaml").read_text()
    made = {
        "images_digests.json",
        "version.json",
        "docs/RELEASE_NOTES.md",
        "docs/RELEASE_NOTES.ru.md",
    }
    listed = {
        what: [path for path in expected[what] if not path.endswith("*") and path not in made]
        for what in ("module", "release")
    }
    notes = "docs/RELEASE_NOTES.md" in expected["module"]
    final = [image for image, is_final in expected["images"].items() if is_final]
    named = [
        {
            "image": image,
            "before": "setup",
            "imports": [{"type": "ImageDigest", "targetEnv": variable}],
        }
        for image in final
        for variable in [f"MODULE_IMAGE_DIGEST_{image_key(image)}"]
    ]
    files = json.dumps([path for path in listed["release"] if path != "changelog.yaml"])
    text = (
        images
        + f"""
---
image: digests
final: false
from: registry.example.io/alpine
dependencies: {json.dumps(named)}
---
image: bundle
from: registry.example.io/scratch
git: [{{add: /, to: /, includePaths: {json.dumps(listed["module"])}}}]
import:
- {{image: digests, add: /images_digests.json, to: /images_digests.json, after: setup}}
{HOOKS.get(name, "")}{NOTES if notes else ""}
---
image: release-channel-version
from: registry.example.io/scratch
git: [{{add: /, to: /, includePaths: {files}}}]
import: [{{image: digests, add: /version.json, to: /version.json, after: install}}]
"""
    )
    project.write("werf.yaml", text)
    project.git("init", "-q", "-b", "main")
    project.commit()
    before = everything(directory)
    first = project.run("init", "--migrate")
    if name == "storage":
        assert first.code == 78
        assert "it takes /docs/RELEASE_NOTES.md from digests" in first.err
        assert {
            path: data for path, data in everything(directory).items() if path in before
        } == before
        return
    assert first.code == 0, first.err
    assert "werf.yaml" not in everything(directory)
    after = everything(directory)
    again = project.run("init", "--migrate")
    assert (again.code, everything(directory)) == (0, after), again.err


NOTES = (
    "- {image: digests, add: /docs/RELEASE_NOTES.md, to: /docs/RELEASE_NOTES.md, after: setup}\n"
)


def _taken(image: str, path: str, target: str) -> str:
    return f"- {{image: {image}, add: {path}, to: {target}, after: setup}}\n"


HOOKS = {
    "dockerfile": _taken("python-dependencies", "/lib/python/dist", "/lib/python/dist"),
    "monolith": _taken("go-hooks-artifact", "/go-hooks", "/hooks/go"),
    "storage": _taken("go-hooks-artifact", "/go-hooks", "/hooks/go-hooks"),
}
