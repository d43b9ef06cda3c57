# ruff: noqa: E501  a case a line
"""Each rule: a seeded defect that it finds in its exact place, alone; and right forms that it lets be."""

from collections.abc import Mapping

import pytest

from orchestrator import giterminism, werf_config
from orchestrator.lint.rules import RULES
from orchestrator.lint.sources import Sources
from orchestrator.module import load
from orchestrator.settings import resolve
from orchestrator.shape import Shape
from tests.harness import ROOT
from tests.unit.lint.modules import (
    ASKS,
    COMMON,
    CSI,
    FLAT,
    GENERATED,
    MONOLITH,
    UPPER,
    Files,
    Tree,
    changed,
    lint,
    packed_chart,
    sources,
)

DIGESTLESS = str(FLAT["werf.yaml"])
WORKFLOW = ".github/workflows/build.yml"


def text(files: Mapping[str, str | bytes], path: str, old: str, new: str) -> dict[str, str]:
    """One file with a change in it."""
    before = str(files[path])
    assert old in before
    return {path: before.replace(old, new, 1)}


SEEDED: list[tuple[str, str, Files, str]] = [
    ("M001", "generated", {"module.yaml": "name: my-echo\nstge: Preview\n"}, "module.yaml:2"),
    ("M001", "generated", {"module.yaml": None, "Chart.yaml": None}, "module.yaml"),
    ("M002", "generated", {"module.yaml": None, "modules.yaml": "name: my-echo\n"}, "modules.yaml"),
    ("M002", "flat", text(FLAT, "werf.yaml", "  - .git\n", "  - modules.yaml\n"), "werf.yaml:21"),
    ("M003", "generated", {"module.yaml": "name: MyEcho\n"}, "module.yaml"),
    ("M003", "generated", {"Chart.yaml": "version: 1.0.0\nname: other\n"}, "Chart.yaml:2"),
    ("M004", "generated", {"docs/a..b.md": ""}, "docs/a..b.md"),
    ("M005", "generated", {"oss.yaml": "- id: a\n  id: b\n"}, "oss.yaml:2"),
    ("M007", "generated", {"templates/app.yaml.orig": ""}, "templates/app.yaml.orig"),
    ("M007", "csi", text(CSI, ".werf/bundle.yaml", "  - charts\n", "  - charts\n  - hack\n"), ".werf/bundle.yaml:25"),
    ("M009", "generated", {"module.yaml": "name: my-echo\nnamespace: d8-echoserver\n"}, "module.yaml:2"),
    ("M009", "generated", {"templates/x.yaml": "{{ .Chart }}\n{{ .Values.echoserver.a }}\n"}, "templates/x.yaml:2"),
    ("M009", "generated", {".gitlab-ci.yml": "variables:\n  MODULES_MODULE_NAME: echoserver\n"}, ".gitlab-ci.yml:2"),
    ("M010", "generated", {"templates/x.yaml": "a: 1\nb: {{ .Values.myEcko.b }}\n"}, "templates/x.yaml:2"),
    ("M101", "generated", {"images/sidecar/werf.inc.yaml": "\nimage: side-car-\n---\nimage: Controller\nfrom: a:1\n"}, "images/controller/Dockerfile"),
    ("M101", "csi", {"images/web_hook/werf.inc.yaml": "---\nimage: web_hook\n"}, "images/web_hook/werf.inc.yaml:2"),
    ("M102", "generated", {"images/a__b/Dockerfile": "", "templates/x.yaml": ASKS % "a_B"}, "images/a__b/Dockerfile"),
    ("M103", "generated", {"images/a b/Dockerfile": "", "templates/x.yaml": ASKS % "a b"}, "images/a b"),
    ("M104", "generated", {"templates/x.yaml": "\n\n" + ASKS % "controler"}, "templates/x.yaml:3"),
    ("M104", "csi", {"templates/x.yaml": ASKS % "controllerGolangArtifact"}, "templates/x.yaml:1"),
    ("M104", "monolith", {"templates/x.yaml": ASKS % "side"}, "templates/x.yaml:1"),
    ("M105", "generated", {"images/spare/werf.inc.yaml": "---\nimage: {{ $.ImageName }}\n"}, "images/spare/werf.inc.yaml:2"),
    ("M105", "csi", {"templates/hook.yaml": None}, ".werf/images.yaml:4"),
    ("M106", "generated", {"images/side-car/Dockerfile": ""}, "images/side-car/Dockerfile"),
    ("M107", "monolith", {"images/other/Dockerfile": ""}, "images/other/Dockerfile"),
    ("M108", "flat", {"images/controller/werf.inc.yaml": "image: a\n"}, "images/controller/werf.inc.yaml"),
    ("M109", "flat", {".werf/more.yaml": "image: hooks\nfinal: false\n---\n# again\nimage: hooks\nfinal: false\n"}, ".werf/more.yaml:5"),
    ("M201", "flat", text(FLAT, "werf.yaml", "- image: digests", "- image: digest"), "werf.yaml:15"),
    ("M201", "generated", {"images/side-car/werf.inc.yaml": "image: side-car\nfromImage: alpin\n"}, "images/side-car/werf.inc.yaml:2"),
    ("M201", "csi", {"images/go-hooks/werf.inc.yaml": "---\nimage: {{ .ImageName }}-a\nfinal: false\nimport:\n- image: {{ .ImageName }}-b\n"}, "images/go-hooks/werf.inc.yaml:5"),
    ("M202", "monolith", {"images/x/werf.inc.yaml": "image: x\nfinal: false\nfromImage: builder/alpin\n"}, "images/x/werf.inc.yaml:3"),
    ("M202", "monolith", {"images/x/werf.inc.yaml": 'image: x\nfinal: false\nfrom: {{ index $.Images "tools/jq" }}\n'}, "images/x/werf.inc.yaml:3"),
    ("M202", "upper", text(UPPER, ".werf/base.yaml", "$.Images.ALPINE", "$.Images.ALPIN"), ".werf/base.yaml:6"),
    ("M203", "csi", {WORKFLOW: "steps:\n- uses: deckhouse/modules-actions/build@v15\n", ".gitlab-ci.yml": "BASE_IMAGES_VERSION: v1\n"}, ".werf/base-images.yaml:2"),
    ("M203", "upper", {"base_images.yml": None}, ".werf/base.yaml:1"),
    ("M204", "flat", text(FLAT, "werf.yaml", "project: d8-my-echo", "project: echoserver"), "werf.yaml:2"),
    ("M205", "csi", {"images/controller/werf.inc.yaml": str(CSI["images/controller/werf.inc.yaml"]) + '# {{ env "IGNORED" }}\nx: {{ env "SOURCE" "" }}\n'}, "images/controller/werf.inc.yaml:21"),
    ("M205", "generated", {"images/side-car/werf.inc.yaml": 'image: side-car\nfrom: {{ env "BASE" "a:1" }}\n', "werf-giterminism.yaml": None}, "images/side-car/werf.inc.yaml:2"),
    ("M207", "flat", {".werf/old.yaml": "artifact: old\n---\nimage: new\nfinal: false\nimport:\n- image: old\n"}, ".werf/old.yaml:1"),
    ("M208", "csi", {"images/go-hooks/werf.inc.yaml": "image: go-hooks\nfinal: false\nimport:\n- add: /a\n  image: controller\n  from: a:1\n- image: controller\n"}, "images/go-hooks/werf.inc.yaml:4"),
    ("M209", "csi", {".werf/a.tmpl": '{{ define "x" }}1{{ end }}', ".werf/b.tmpl": '{{ define "x" }}2{{ end }}', ".werf/c.yaml": '\n{{ include "x" . }}\n'}, ".werf/c.yaml:2"),
    ("M210", "csi", {"werf_cleanup.yaml": "configVersion: 1\nproject: my-echo-old\n"}, "werf_cleanup.yaml:2"),
    ("M211", "generated", {"images/side-car/werf.inc.yaml": 'image: x\n{{ include "no such" . }}\n'}, "images/side-car/werf.inc.yaml:2"),
    ("M212", "generated", {"images/side-car/werf.inc.yaml": "image: x\nfrom: a:{{ .GOPROXY }}\n"}, "werf-giterminism.yaml"),
    ("M301", "csi", text(CSI, ".werf/release.yaml", 'env "MODULES_MODULE_TAG"', 'env "MODULES_MODULE_TAG" | trimPrefix "v"'), ".werf/release.yaml:13"),
    ("M301", "generated", {WORKFLOW: "env:\n  MODULES_MODULE_TAG: ${GITHUB_REF_NAME#v}\n"}, WORKFLOW + ":2"),
    ("M302", "csi", text(CSI, ".werf/release.yaml", "  - module.yaml\n", "  - README.md\n") | {".werf/release.yaml": str(CSI[".werf/release.yaml"]).replace("module.yaml", "README.md")}, ".werf/release.yaml:15"),
    ("M303", "flat", {"werf.yaml": DIGESTLESS.replace("  - make > version.json\n", "")}, "werf.yaml:22"),
    ("M304", "monolith", {"werf.yaml": str(MONOLITH["werf.yaml"]).replace('"dev" }}"}', '"dev" }}","date":"x"}')}, "werf.yaml:40"),
    ("M305", "flat", {"werf.yaml": DIGESTLESS.replace("images_digests.json", "digests.json")}, "werf.yaml:13"),
    ("M306", "generated", {"images_digests.json": "{}"}, "images_digests.json"),
    ("M307", "csi", text(CSI, ".werf/bundle.yaml", "  - module.yaml\n", ""), ".werf/bundle.yaml:12"),
    ("M308", "generated", {"CHANGELOG/v1.0.0.yml": None, "CHANGELOG/v0.9.0.yml": "a: 1\n"}, "CHANGELOG/v1.0.0.yml"),
    ("M309", "generated", {"CHANGELOG/v1.0.0.yml": "- fixed\n"}, "CHANGELOG/v1.0.0.yml:1"),
    ("M310", "generated", {"module.yaml": "name: my-echo\nupdate:\n  versions:\n  - from: '0.1'\n    to: '1.1'\n"}, "module.yaml:5"),
    ("M311", "generated", {WORKFLOW: "steps:\n- uses: deckhouse/modules-actions/build@main\n"}, WORKFLOW + ":2"),
    ("M312", "generated", {WORKFLOW: "with:\n  module_source: ghcr.io/${{ github.repository_owner }}/modules\n"}, WORKFLOW + ":2"),
    ("M313", "generated", {WORKFLOW: "with:\n  module_tag: ${{ github.ref_name }}\n"}, WORKFLOW + ":2"),
    ("M401", "generated", {"charts/deckhouse_lib_helm-1.72.10.tgz": None}, "templates/app.yaml:1"),
    ("M402", "generated", text(COMMON, "Chart.yaml", "1.72.10", "1.44.5"), "Chart.yaml:5"),
    ("M402", "generated", {"Chart.lock": "dependencies:\n- name: deckhouse_lib_helm\n  version: 1.62.2\n"}, "Chart.lock:3"),
    ("M402", "generated", {"charts/deckhouse_lib_helm-1.72.10.tgz": b"no archive"}, "charts/deckhouse_lib_helm-1.72.10.tgz"),
    ("M403", "generated", {"charts/deckhouse_lib_helm-1.72.11.tgz": packed_chart("1.72.11"), "Chart.yaml": "name: my-echo\n"}, "charts/deckhouse_lib_helm-1.72.11.tgz"),
    ("M501", "generated", text(COMMON, "openapi/config-values.yaml", "default: 1", "default: 0"), "openapi/config-values.yaml:7"),
    ("M503", "generated", text(COMMON, "openapi/values.yaml", "    type: object\n", "    required: [x]\n"), "openapi/values.yaml:3"),
    ("M504", "generated", {"openapi/conversions/v4.yaml": ""}, "openapi/conversions"),
    ("M504", "generated", {"openapi/conversions/v3.yaml": ""}, "openapi/config-values.yaml:1"),
    ("M504", "generated", {"openapi/conversions/two.yaml": ""}, "openapi/conversions/two.yaml"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "family", "changes", "place"), SEEDED)
def test_a_seeded_defect(rule: str, family: str, changes: Files, place: str) -> None:
    of = sources(changed(family, changes), tags=("v1.0.0",))
    found = [defect for defect in lint(of, all_rules=True) if defect.rule == rule]
    assert place in [defect.place for defect in found]
    assert all(defect.message and defect.fix for defect in found)


def found_by(rule: str, files: Files, family: str = "generated", **more: object) -> list[str]:
    of = sources(changed(family, files), **{"tags": ("v1.0.0",), **more})
    return [defect.place for defect in lint(of, all_rules=True) if defect.rule == rule]


def test_programs_must_be_executable() -> None:
    of = sources(GENERATED)
    of.tree.executables.clear()  # type: ignore[attr-defined]
    assert [d.place for d in lint(of) if d.rule == "M006"] == ["enabled:1", "hooks/start.sh:1"]
    library = {"hooks/common.py": "#!/usr/bin/python3\nX = 1\n", "hooks/lib/a.py": "#!/x --config"}
    of = sources(changed("generated", library))
    of.tree.executables -= set(library)  # type: ignore[attr-defined]
    assert "M006" not in {defect.rule for defect in lint(of)}


def test_submodules() -> None:
    of = sources(GENERATED)
    of.tree.submodules = ("crds", "images/controller/src")
    assert [d.place for d in lint(of) if d.rule == "M008"] == ["crds"]


def test_environment_without_default() -> None:
    assert found_by("M206", {}, "csi") == [".werf/release.yaml:13"]
    assert found_by("M206", {}, "monolith") == []


def test_a_new_required_setting() -> None:
    old = {"openapi/config-values.yaml": b"type: object\nproperties: {a: {}, o: {type: object}}\n"}
    new = (
        "type: object\nrequired:\n- replicas\n- a\nproperties:\n  a: {default: 1}\n"
        "  replicas: {}\n  o:\n    type: object\n    required:\n    - x\n"
        "  fresh:\n    type: object\n    required: [y]\n"
    )
    files = {"openapi/config-values.yaml": new}
    places = ["openapi/config-values.yaml:11", "openapi/config-values.yaml:3"]
    assert sorted(found_by("M502", files, previous=("v0.9.0", old))) == places
    assert (
        found_by("M502", files, previous=("v0.9.0", {"openapi/config-values.yaml": new.encode()}))
        == []
    )
    assert found_by("M502", files) == []


@pytest.mark.parametrize(
    ("rule", "family", "changes"),
    [
        # Another module's names are no leftovers in the template itself.
        ("M009", "generated", {"module.yaml": "name: echoserver\nnamespace: echoserver\n"}),
        ("M101", "csi", {"images/x/werf.inc.yaml": "{{ if a }}\nimage: x\n{{ else }}\nimage: x\n{{ end }}\n"}),
        ("M104", "csi", {"templates/x.yaml": '{{ include "helm_lib_module_image" (list . $name) }}'}),
        ("M104", "monolith", {"templates/x.yaml": ASKS % "sidecar12"}),
        ("M105", "csi", {"templates/hook.yaml": '{{ include "helm_lib_module_image" (list . $name) }}'}),
        ("M105", "generated", {"images/csi-attacher/Dockerfile": "", "templates/x.yaml": '{{ include "helm_lib_csi_controller_manifests" . }}'}),
        ("M105", "generated", {"images/a-vex-artifact/werf.inc.yaml": "image: a-vex-artifact\n"}),
        ("M106", "generated", {"images/side-car/werf.inc.yaml": "image: side-car\ndockerfile: Dockerfile\n", "images/side-car/Dockerfile": ""}),
        ("M109", "csi", {"images/x/werf.inc.yaml": "{{ if a }}\nimage: x\n---\n{{ end }}\nimage: x\n"}),
        ("M201", "flat", {".werf/x.yaml": "image: x\nfinal: false\nfromImage: alpine:3.20\nimport:\n- image: {{ $some }}\n- image: a.io/b@sha256:00\n"}),
        # A list in a script is no import.
        ("M201", "flat", {".werf/x.yaml": "image: x\nfinal: false\nshell:\n  setup:\n  - |\n    - image: nginx\n"}),
        ("M202", "csi", {"images/x/werf.inc.yaml": 'image: x\nfinal: false\nfrom: {{ index $.Images "builder/other" }}\n'}),
        ("M203", "csi", {WORKFLOW: None, "Makefile": "get:\n\tcurl -O base_images.yml\n"}),
        ("M205", "csi", {"images/x/werf.inc.yaml": '{{ if .A }}{{ env "SOURCE" }}{{ end }}\n# {{ env "B" }}\n{{ env "CI_JOB" "" }}\n'}),
        ("M208", "csi", {"images/x/werf.inc.yaml": "image: x\nfinal: false\nimport:\n- from: a:1\n  add: /\n- image: controller\n  includePaths:\n  - from\n"}),
        ("M209", "csi", {".werf/a.tmpl": '{{ define "x" }}1{{ end }}{{ include "x" . }}', ".werf/b.tmpl": '{{ define "x" }}2{{ end }}{{ include "x" . }}'}),
        ("M308", "generated", {"CHANGELOG/v1.0.0.yml": None}),
        ("M311", "generated", {WORKFLOW: f"- uses: deckhouse/modules-actions/build@{'a' * 40}\n"}),
        ("M401", "generated", {"charts/deckhouse_lib_helm-1.72.10.tgz": None, "charts/deckhouse_lib_helm/Chart.yaml": "name: deckhouse_lib_helm\n"}),
        ("M402", "generated", {"Chart.yaml": "name: my-echo\ndependencies:\n- {name: deckhouse_lib_helm, version: ~1.70}\n"}),
        ("M503", "generated", {"openapi/values.yaml": "type: object\nproperties: {registry: {properties: {dockercfg: {}}, default: {}}}\n"}),
    ],
)  # fmt: skip
def test_right_forms(rule: str, family: str, changes: Files) -> None:
    assert found_by(rule, changes, family) == []


def test_a_version_needs_its_v() -> None:
    assert found_by("M301", {}, tags=("1.2.3",)) == ["module.yaml"]
    assert found_by("M301", {}, tags=("1.2.3", "v1.2.3")) == []
    assert found_by("M301", {}, tags=("2026.11", "nightly")) == []


def test_a_declared_source_or_a_file_beside_is_enough_of_a_base_map() -> None:
    gone: Files = {WORKFLOW: None}
    assert found_by("M203", gone, "csi")
    assert found_by("M203", gone, "csi", takes_base_images=True) == []
    beside = {
        "base_images.yml": b"builder/distroless: x\nbuilder/scratch: x\nyq: x\nbuilder/alpine: x\n"
    }
    assert found_by("M203", gone, "csi", beside=beside) == []
    places = [".werf/bundle.yaml:3", "images/controller/werf.inc.yaml:5"]
    assert found_by("M202", gone, "csi", beside=beside) == places


def test_every_rule_has_a_seeded_defect() -> None:
    own = {"M006", "M008", "M206", "M502"}
    assert {rule for rule, *_ in SEEDED} | own == {rule.id for rule in RULES}


def test_ids_and_names_are_unique_and_in_order() -> None:
    ids = [rule.id for rule in RULES]
    assert ids == sorted(set(ids))
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(
    "name", ["storage", "template", "dockerfile", "monolith", "editions", "versions"]
)
def test_families_of_modules_are_clean(name: str) -> None:
    """But for lib-helm, which none of them vendors."""
    directory = ROOT / "tests" / "data" / "families" / name
    files = {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }
    found = resolve({}, {}, files.get("orchestrator.yaml"))
    shape, values = Shape.of(found), found["build_values"]
    allowed = werf_config.make(
        werf_config.collect(
            Tree(files), directory, load(Tree(files), shape=shape), shape, args={}, values=values
        )
    )
    files["werf-giterminism.yaml"] = giterminism.text(allowed.giterminism).encode()
    checked = Sources(tree=Tree(files), shape=shape, values=values, directory=directory)
    assert {each.rule for each in lint(checked)} <= {"M401"}
