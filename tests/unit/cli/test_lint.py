"""`lint` as users run it, on a module in git."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.harness import Project, make_project
from tests.unit.lint.modules import packed_chart


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The echo module with the chart that it asks for."""
    made = make_project(tmp_path / "work" / "echo", tag=None)
    made.write("charts/.keep", "")
    (made.directory / "charts/deckhouse_lib_helm-1.62.2.tgz").write_bytes(packed_chart("1.62.2"))
    made.write("CHANGELOG/v1.0.0.yml", "features: []\n")
    made.commit(tag="v1.0.0")
    return made


def test_a_sound_module(project: Project) -> None:
    done = project.run("lint")
    assert (done.code, done.err) == (0, "")
    assert done.out == "0 errors, 0 warnings; 47 rules\n"
    assert project.git("status", "--porcelain") == ""


def test_files_count_before_they_are_committed(project: Project) -> None:
    project.write("templates/x.yaml", '\n{{ include "helm_lib_module_image" (list . "backnd") }}\n')
    done = project.run("lint")
    assert done.code == 1
    assert done.out.splitlines()[0] == (
        "templates/x.yaml:2: error [M104 unknown-image] no image has the key backnd; "
        "did you mean backend?"
    )
    assert project.run("lint", "--rule", "M104=warning").code == 0
    (case,) = ET.fromstring(project.run("lint", "-o", "junit").out).iter("failure")
    assert "backnd" in (case.text or "")
    assert json.loads(project.run("lint", "-o", "json").out)["ok"] is False


def test_annotations_lead_from_the_top_of_the_work_tree(tmp_path: Path, project: Project) -> None:
    project.write("sub/module.yaml", "name: Sub\n")
    done = project.run("lint", "-C", "sub", "-o", "github")
    assert done.code == 1
    assert done.out.startswith("::error file=sub/module.yaml,title=M003 module-name::name: 'Sub'")


def test_settings_against_the_release_before(project: Project) -> None:
    path = project.directory / "openapi/config-values.yaml"
    path.write_text(path.read_text() + "  text: {type: string}\nrequired: [text]\n")
    done = project.run("lint")
    assert done.code == 0
    project.commit("more")
    assert project.run("lint").out.startswith(
        "openapi/config-values.yaml:10: error [M502 new-required-setting] text is required since "
    )


def test_levels_in_the_file_and_what_is_wrong_with_them(project: Project) -> None:
    project.write("werf_cleanup.yaml", "project: velero\n")
    assert "M204" in project.run("lint").out
    project.write("orchestrator.yaml", 'lint:\n  project-name: "off"\n')
    assert project.run("lint").out.startswith("0 errors, 0 warnings; 46")
    assert project.run("lint", env={"ORCHESTRATOR_LINT_RULES": "M204=error M105=off"}).code == 1
    project.write("orchestrator.yaml", "lint:\n  projct-name: error\n")
    done = project.run("lint")
    assert done.code == 78
    assert (
        "orchestrator.yaml:2: there is no rule 'projct-name'; did you mean project-name?"
        in done.err
    )
    project.write("orchestrator.yaml", "lint:\n  M204: off\n")
    assert "quote it" in project.run("lint").err
    project.write("orchestrator.yaml", "")
    assert project.run("lint", "--rule", "M204").code == 64


def test_no_module_and_no_work_tree(tmp_path: Path, project: Project) -> None:
    (project.directory / "module.yaml").unlink()
    done = project.run("lint")
    assert done.code == 1
    assert "module.yaml: error [M001 module-yaml] there is no module.yaml" in done.out
    for place in ("none", str(tmp_path)):
        done = project.run("lint", "-C", place)
        assert done.code == 78
        assert "->" in done.err
