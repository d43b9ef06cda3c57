"""Every rule about a module's files has a case here."""

from collections.abc import Iterable, Sequence

import pytest

from orchestrator.errors import ConfigError
from orchestrator.module import ImageKind, Module, load

MODULE = "name: echo\n"


class Files:
    """A tree in a dict; symlinks by name."""

    def __init__(self, files: dict[str, str], symlinks: Iterable[str] = ()) -> None:
        self._files = files
        self._symlinks = set(symlinks)

    def paths(self) -> Sequence[str]:
        return tuple(self._files)

    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]:
        return {path: self._files[path].encode() for path in paths}

    def is_symlink(self, path: str) -> bool:
        return path in self._symlinks


def of(files: dict[str, str] | None = None, name: str | None = None, **more: str) -> Module:
    return load(Files({"module.yaml": MODULE, **(files or {}), **more}), name=name)


def wrong(files: dict[str, str], name: str | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        of(files, name)
    return [str(finding) for finding in caught.value.findings]


def test_a_small_module() -> None:
    module = of({"images/back-end/Dockerfile": "", "images/tool/werf.inc.yaml": ""})
    assert module.name == "echo"
    assert [(i.name, i.kind, i.key) for i in module.images] == [
        ("back-end", ImageKind.DOCKERFILE, "backEnd"),
        ("tool", ImageKind.STAPEL, None),
    ]


def test_a_module_without_images_is_a_module() -> None:
    assert of().images == ()


def test_where_both_files_are_the_fragment_counts() -> None:
    module = of({"images/a/Dockerfile": "", "images/a/werf.inc.yaml": ""})
    assert [image.kind for image in module.images] == [ImageKind.STAPEL]


def test_directories_without_a_build_file_and_nested_ones_are_no_images() -> None:
    assert of({"images/a/README.md": "", "images/b/hack/Dockerfile": ""}).images == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: Echo", "name: 'Echo' is not a module name"),
        ("name: modules", "is not a module name"),
        ("name: a--b", "is not a module name"),
        ("name: 7", "name: text is expected"),
        ("{}", "name: the module's name is missing"),
        ("[]", "a map is expected"),
        ("name: echo\nwieght: 5", "module.yaml:2: wieght: unknown key; did you mean weight?"),
        ("name: echo\nweight: -1", "weight: a whole number, 0 to 4294967295"),
        ("name: echo\nstage: Experimentel", "did you mean Experimental?"),
        ("name: echo\ncritical: true", "a critical module needs a weight above 0"),
        ("name: echo\nrequirements:\n  deckhouse: newest", "module.yaml:3: requirements.deckhouse"),
        ("name: echo\nrequirements:\n  kubernetes: 1.30", "1.30 reads as the number 1.3"),
        ("name: echo\nrequirements:\n  modules:\n    a: '>= z'", "requirements.modules.a"),
        ("name: echo\ntags: [no label!]", "tags[0]"),
        ("name: echo\nnamespace: D8", "namespace"),
        ("name: echo\ndisable:\n  confirmation: yes", "yes is a truth value to YAML 1.1"),
        ("name: echo\naccessibility:\n  editions:\n    xe: {}", "accessibility.editions.xe"),
        ("name: echo\nupdate:\n  versions: [{from: '1.2', to: '1.2'}]", "1.2 is not above 1.2"),
        ("name: echo\nupdate:\n  versions: [{from: '1.2'}]", "the key to is missing"),
        ("name: echo\nupdate:\n  versions: [{from: v1, to: '1.2'}]", "is not X.Y or X.Y.Z"),
        ("name: echo\ndescriptions: text", "descriptions: a map is expected"),
    ],
)
def test_module_yaml(text: str, says: str) -> None:
    assert any(says in line for line in wrong({"module.yaml": text}))


@pytest.mark.parametrize(
    "constraint",
    [">= 1.68", "1.30 - 1.33", "^1.2.3", "~1.2", ">=1.29, <1.33", ">= 1 || < 0.5", "1.x", "*",
     ">= 1.0.0!optional", ">= v1.2.3-rc.1", "!= 1.2", "> 1.0 < 2.0"],
)  # fmt: skip
def test_good_constraints(constraint: str) -> None:
    of({"module.yaml": f"name: echo\nrequirements:\n  deckhouse: '{constraint}'\n"})


def test_bootstrapped_is_a_truth_value_or_text() -> None:
    for text in ("true", "'true'"):
        of({"module.yaml": f"name: echo\nrequirements: {{bootstrapped: {text}}}\n"})
    assert wrong({"module.yaml": "name: echo\nrequirements: {bootstrapped: maybe}\n"})


@pytest.mark.parametrize("constraint", ["newest", ">= ", "1.2.3.4", ">> 1", "", "1,,2"])
def test_bad_constraints(constraint: str) -> None:
    assert wrong({"module.yaml": f"name: echo\nrequirements:\n  deckhouse: '{constraint}'\n"})


def test_the_name_may_come_from_outside_but_must_agree() -> None:
    assert of({"module.yaml": "weight: 5"}, "echo").name == "echo"
    assert "published as 'other'" in wrong({"module.yaml": MODULE}, "other")[0]


def test_all_findings_at_once() -> None:
    lines = wrong(
        {
            "module.yaml": "name: Echo\nstage: x\n",
            "Chart.yaml": "name: [",
            "openapi/values.yaml": "type: array",
            "images/a__b/Dockerfile": "",
            "docs/a..b.md": "",
        }
    )
    assert len(lines) == 6


def test_a_missing_module_yaml_and_its_common_misspelling() -> None:
    with pytest.raises(ConfigError, match=r"only modules\.yaml: rename it"):
        load(Files({"modules.yaml": MODULE}))
    with pytest.raises(ConfigError, match=r"there is no module\.yaml"):
        load(Files({}))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"Chart.yaml": "name: other"}, "Chart.yaml:1: name: 'other' is not the module's 'echo'"),
        ({"Chart.yaml": "version: 1"}, "Chart.yaml:1: name: None is not"),
        ({"oss.yaml": "a: ["}, "not YAML"),
        ({"openapi/config-values.yaml": "a: 1\na: 2"}, "openapi/config-values.yaml:2: the key 'a'"),
        ({"openapi/values.yaml": "type: array"}, "type: object is expected"),
        ({"images/a/Dockerfile": "", "images/A/Dockerfile": ""}, "they share the key a"),
        ({"images/a b/Dockerfile": ""}, "an image name has letters"),
        ({"docs/..hidden": ""}, "DKP refuses any name with .."),
        ({"docs/a\nb": ""}, "a control character"),
    ],
)
def test_other_files(files: dict[str, str], says: str) -> None:
    assert any(says in line for line in wrong(files))


def test_a_symlink_in_the_bundle() -> None:
    with pytest.raises(ConfigError) as caught:
        load(Files({"module.yaml": MODULE, "docs/link": "x"}, symlinks=["docs/link"]))
    assert "DKP drops symlinks" in str(caught.value.findings[0])


def test_templates_ask_for_images_that_have_keys() -> None:
    asks = '{{ include "helm_lib_module_image" (list . "%s") }}\n'
    backend = {"images/back-end/Dockerfile": ""}
    of({**backend, "templates/a.yaml": asks % "backEnd"})
    (line,) = wrong({**backend, "templates/a.yaml": "\n" + asks % "back-end"})
    assert line.startswith("templates/a.yaml:2: no directory below images/ gives the key back-end")
    assert line.endswith("did you mean backEnd?")
    (line,) = wrong({"templates/a.yaml": asks % "backend"})
    assert "there is no images/ directory" in line
    of({"images/x/werf.inc.yaml": "", "templates/a.yaml": asks % "unknowable"})
