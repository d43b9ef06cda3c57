"""Which hooks have to be built, and where they come from."""

import pytest

from orchestrator.hooks import Hooks, detect
from orchestrator.shape import Import, Shape

GO = Import(image="go-hooks-artifact", path="go-hooks", target="hooks/go-hooks", into="hooks/go")
OWN = "images/hooks/werf.inc.yaml"


@pytest.mark.parametrize(
    ("files", "images"),
    [
        ({}, []),
        ({"hooks/a.sh": ""}, []),
        ({"hooks/batch/main.go": ""}, ["batch-hooks"]),
        ({"hooks/batch/README.md": ""}, []),
        (
            {"images/go-hooks/werf.inc.yaml": "image: {{ .ImageName }}-artifact"},
            ["go-hooks-artifact"],
        ),
        ({OWN: "image: {{ .ModuleNamePrefix }}go-hooks-artifact"}, ["go-hooks-artifact"]),
        ({OWN: "image: hooks"}, []),
        ({OWN: "image: go-hooks-artifact", "hooks/batch/main.go": ""}, ["go-hooks-artifact"]),
        ({"lib/python/requirements.txt": "", "hooks/a.py": ""}, ["python-dependencies"]),
        ({"lib/python/requirements.txt": ""}, []),
    ],
)
def test_kinds(files: dict[str, str], images: list[str]) -> None:
    found = detect(set(files), Shape(), files.__getitem__)
    assert [each.image for each in found.imports] == images
    assert [name for name, _ in found.build] == [i for i in images if i != "go-hooks-artifact"]


def test_settings_decide() -> None:
    files = {OWN: "image: go-hooks-artifact"}
    mine = (Import(image="x", path="a", target="b"),)
    assert detect(set(files), Shape(imports=mine), files.__getitem__) == Hooks(imports=mine)
    assert detect(set(files), Shape(imports=()), files.__getitem__) == Hooks()
    assert detect(set(files), Shape(), files.__getitem__).imports == (GO,)
