"""Keys as werf's own templates make them; files as DKP reads them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import artifacts
from orchestrator.errors import ConfigError
from orchestrator.model import Digest, Version

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "digest-keys.json").read_text())
ONE = Digest("sha256:" + "1" * 64)


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: row["image"])
def test_keys_equal_to_werf(row: dict[str, str]) -> None:
    assert artifacts.image_key(row["image"]) == row["key"]


@given(st.text(alphabet="ab-_/Z9.", min_size=1, max_size=12))
def test_any_name_has_a_key(name: str) -> None:
    key = artifacts.image_key(name)
    assert artifacts.image_key("prefix/" + name.rpartition("/")[2]) == key


def test_collisions_and_lost_keys_are_all_told() -> None:
    with pytest.raises(ConfigError) as caught:
        artifacts.image_keys(["a/x", "b/x", "a__b", "foo-bar", "fooBar", "fine", ""])
    said = caught.value.details or ""
    assert "images a/x, b/x: they share the key x" in said
    assert "images foo-bar, fooBar: they share the key fooBar" in said
    assert "image a__b: its key a_B holds _" in said
    assert "image ~: its name gives no key" in said
    assert "fine" not in said


def test_images_digests_is_as_documented() -> None:
    data = artifacts.images_digests({"frontend": ONE, "back-end": ONE})
    assert data.decode() == f'{{\n  "backEnd": "{ONE}",\n  "frontend": "{ONE}"\n}}\n'
    assert artifacts.images_digests({}) == b"{}\n"


def test_version_json_is_exact() -> None:
    assert artifacts.version_json(Version.parse("v1.23.2")) == b'{"version":"v1.23.2"}'


def test_what_is_in_the_bundle() -> None:
    paths = [
        ".gitignore",
        ".helmignore",
        "Chart.yaml",
        "Makefile",
        "README.md",
        "charts/deckhouse_lib_helm-1.62.2.tgz",
        "crds/a.yaml",
        "docs/README.md",
        "docs/internal/notes.md",
        "enabled",
        "hack/x.sh",
        "hooks/batch/main.go",
        "hooks/run.sh",
        "hooks/go/go.mod",
        "images/backend/Dockerfile",
        "lib/go/a.go",
        "lib/python/helper.py",
        "lib/python/requirements.txt",
        "module.yaml",
        "monitoring/rules.yaml",
        "openapi/config-values.yaml",
        "openapi/openapi-case-tests.yaml",
        "oss.yaml",
        "templates/a.yaml",
        "values.yaml",
        "werf.yaml",
    ]
    assert artifacts.bundle_paths(reversed(paths)) == [
        ".helmignore",
        "Chart.yaml",
        "charts/deckhouse_lib_helm-1.62.2.tgz",
        "crds/a.yaml",
        "docs/README.md",
        "enabled",
        "hooks/run.sh",
        "lib/python/helper.py",
        "module.yaml",
        "monitoring/rules.yaml",
        "openapi/config-values.yaml",
        "oss.yaml",
        "templates/a.yaml",
        "values.yaml",
    ]


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        (["CHANGELOG/v1.0.0.yml", "changelog.yaml"], "CHANGELOG/v1.0.0.yml"),
        (["CHANGELOG/CHANGELOG-v1.0.0.yml"], "CHANGELOG/CHANGELOG-v1.0.0.yml"),
        (["changelog.yaml", "CHANGELOG/v2.0.0.yml"], "changelog.yaml"),
        (["CHANGELOG/v2.0.0.yml"], None),
    ],
)
def test_which_changelog(paths: list[str], chosen: str | None) -> None:
    assert artifacts.changelog_path(paths, "v1.0.0") == chosen
