"""Which files the module image and the release image hold, by the options of the layout."""

import pytest

from orchestrator.bundle import module_files, release_files, release_notes
from orchestrator.errors import ConfigError
from orchestrator.shape import Import, Shape

PATHS = [
    "CHANGELOG/v1.0.0.yml",
    "README.md",
    "build/a.yaml",
    "docs/README.md",
    "hooks/batch/go.mod",
    "hooks/batch/testdata/x.json",
    "hooks/plain.sh",
    "module.yaml",
    "openapi/values.yaml",
    "openapi/values_ce.yaml",
    "openapi/values_ee.yaml",
]


def test_as_it_is() -> None:
    assert list(module_files(PATHS, Shape())) == [
        "docs/README.md",
        "hooks/plain.sh",
        "module.yaml",
        "openapi/values.yaml",
        "openapi/values_ce.yaml",
        "openapi/values_ee.yaml",
    ]


def test_more_and_less() -> None:
    shape = Shape(include=("build", "*.md"), exclude=("docs/*",))
    found = module_files(PATHS, shape)
    assert "build/a.yaml" in found and "README.md" in found
    assert "docs/README.md" not in found


@pytest.mark.parametrize(
    ("edition", "source"),
    [
        ("ce", "openapi/values_ce.yaml"),
        ("EE", "openapi/values_ee.yaml"),
        ("fe", "openapi/values.yaml"),
    ],
)
def test_an_edition(edition: str, source: str) -> None:
    found = module_files(PATHS, Shape(edition=edition))
    assert found["openapi/values.yaml"] == source
    assert not any("values_" in path for path in found)


def test_what_is_taken_from_an_image_wins() -> None:
    hook = Import(image="x", path="hook", target="hooks/plain.sh")
    assert "hooks/plain.sh" not in module_files(PATHS, Shape(), [hook])


def test_release_files() -> None:
    assert release_files(PATHS, Shape(), "v1.0.0") == {
        "changelog.yaml": "CHANGELOG/v1.0.0.yml",
        "module.yaml": "module.yaml",
    }
    shape = Shape(changelog="CHANGELOG/{version}.yml", release_include=("docs",))
    assert set(release_files(PATHS, shape, "v9.0.0")) == {"docs/README.md", "module.yaml"}
    with pytest.raises(ConfigError, match="settings"):
        release_files(PATHS, Shape(changelog="no.yaml"), "v1.0.0")


def test_release_notes() -> None:
    notes = release_notes(
        {
            "CHANGELOG/v0.9.0.yml": b"Changes:\n  - First\n  - |\n    two\n    lines\n",
            "CHANGELOG/v0.10.0.yml": b"features:\n  core: Faster\nfixes:\n  - {section: a, text: b}\n",
            "CHANGELOG/CHANGELOG-v1.0.0.ru.yml": "Изменения: Всё\n".encode(),
            "CHANGELOG/README.md": b"no",
        }
    )
    english = notes["docs/RELEASE_NOTES.md"].decode()
    assert english.index("## v0.10.0") < english.index("## v0.9.0")
    assert "* First\n* two lines\n" in english
    assert "* **core**: Faster" in english and "* **section**: a; **text**: b" in english
    assert "* **Изменения**: Всё" in notes["docs/RELEASE_NOTES.ru.md"].decode()
    assert release_notes({}) == {}
    with pytest.raises(ConfigError, match="changelog"):
        release_notes({"CHANGELOG/v1.0.0.yml": b"a: [\n"})
