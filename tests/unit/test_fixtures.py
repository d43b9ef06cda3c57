"""The fixture modules are what they claim to be: valid, and complete where they say so."""

import os
import re
from pathlib import Path

import pytest

from orchestrator import artifacts, module, yamldoc
from tests.harness import Directory

FIXTURES = Path(__file__).parents[2] / "fixtures" / "modules"
ECHO = FIXTURES / "echo"


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.iterdir()))
def test_a_fixture_is_a_valid_module(name: str) -> None:
    assert module.load(Directory(FIXTURES / name)).name == name


def test_minimal_is_module_yaml_only() -> None:
    tree = Directory(FIXTURES / "minimal")
    assert tree.paths() == ["module.yaml"]
    assert module.load(tree).images == ()


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in Directory(ECHO).paths()
        if path.endswith((".yaml", ".yml")) and not path.startswith("templates/")
    ],
)
def test_every_yaml_file_of_echo_reads(path: str) -> None:
    document = yamldoc.load((ECHO / path).read_bytes(), path)
    assert document.findings == ()
    assert document.value


def test_templates_ask_for_the_images_there_are() -> None:
    text = "".join(path.read_text() for path in sorted(ECHO.glob("templates/**/*.yaml")))
    asked = re.findall(r'"helm_lib_module_image" \(list \. "(\w+)"\)', text)
    assert sorted(asked) == [image.key for image in module.load(Directory(ECHO)).images]


def test_programs_are_executable() -> None:
    for path in (ECHO / "enabled", *ECHO.glob("hooks/*")):
        assert os.access(path, os.X_OK), path


def test_echo_has_what_a_complete_module_has() -> None:
    published = artifacts.bundle_paths(Directory(ECHO).paths())
    assert {path.partition("/")[0] for path in published} >= {
        *("Chart.yaml", "crds", "docs", "enabled", "hooks", "module.yaml", "monitoring"),
        *("openapi", "oss.yaml", "templates", "values.yaml"),
    }
    assert artifacts.changelog_path(Directory(ECHO).paths(), "v0.1.0") == "CHANGELOG/v0.1.0.yml"
