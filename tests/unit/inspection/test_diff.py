"""Contents compared, and the forms of what was found."""

import json

from orchestrator.inspection import report
from orchestrator.inspection.content import Content, File, is_compared
from orchestrator.inspection.crds import compare
from orchestrator.inspection.diff import diff

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: example.io
  scope: %s
  names: {kind: %s}
  versions: [%s]
"""


def crd(
    kind: str = "Echo", scope: str = "Cluster", versions: str = "{name: v1, served: true}"
) -> str:
    return CRD % (scope, kind, versions)


def said(old: str, new: str) -> list[str]:
    found = compare({"crds/a.yaml": old.encode()}, {"crds/b.yaml": new.encode()})
    return [
        f"{each.kind} {each.name}"
        + (f": {each.detail}" if each.detail else "")
        + (" BREAKING" if each.breaking else "")
        for each in found
    ]


def test_kinds_and_their_versions() -> None:
    name = "Echo.example.io"
    assert said(crd(), crd()) == []
    assert said("", crd()) == [f"added {name}"]
    assert said(crd(), "kind: Other") == [f"removed {name} BREAKING"]
    assert said(crd(), f"{crd()}\n---\n{crd('Two')}") == ["added Two.example.io"]
    assert said(crd(), crd(scope="Namespaced")) == [
        f"changed {name}: scope Cluster -> Namespaced BREAKING"
    ]
    two = "{name: v1, served: true}, {name: v2, served: true, storage: true}"
    assert said(crd(), crd(versions=two)) == [f"added {name}/v2"]
    assert said(crd(versions=two), crd()) == [f"removed {name}/v2 BREAKING"]
    assert said(crd(), crd(versions="{name: v1, served: false}")) == [
        f"changed {name}/v1: no longer served BREAKING"
    ]
    assert said(crd(), crd(versions="{name: v1, served: true, storage: true}")) == [
        f"changed {name}/v1: stored"
    ]
    assert said(crd(), crd(versions="{name: v1, served: true, schema: {a: b}}")) == [
        f"changed {name}/v1: schema changed"
    ]


def test_files_that_are_no_definitions_are_passed_over() -> None:
    for text in ("[", "", "a: [1", "kind: CustomResourceDefinition", "- a", "spec: 1"):
        assert said(text, text) == []
    assert compare({"openapi/x.yaml": crd().encode()}, {}) == []


def content(label: str, **changes: object) -> Content:
    files = {"a": File(size=1, executable=False, sha256="1")}
    return Content(**{"label": label, "files": files, **changes})  # type: ignore[arg-type]


def test_files_hooks_and_images() -> None:
    new = content(
        "new",
        files={
            "a": File(size=1, executable=True, sha256="1"),
            "hooks/b.py": File(size=2048, executable=True, sha256="2"),
            "openapi/conversions/v2.yaml": File(size=5, executable=False, sha256="3"),
        },
        images={"one": "sha256:1", "two": None},
    )
    found = diff(content("old", images={"one": "sha256:0", "two": "sha256:2"}), new)
    assert [(each.name, each.kind) for each in found.files] == [
        ("a", "changed"),
        ("hooks/b.py", "added"),
        ("openapi/conversions/v2.yaml", "added"),
    ]
    assert [(each.name, each.kind) for each in found.images] == [
        ("one", "rebuilt"),
        ("two", "unknown"),
    ]
    assert [each.name for each in found.hooks] == ["hooks/b.py"]
    assert report.as_text(found) == (
        "old -> new\n"
        "Images\n"
        "  ~ one: rebuilt\n"
        "  ? two: by name only: what a build makes of it is not known yet\n"
        "Hooks\n"
        "  + hooks/b.py: 2.0 KiB\n"
        "Files\n"
        "  ~ a: 1 B\n"
        "  + openapi/conversions/v2.yaml: 5 B\n"
        "  conversion openapi/conversions/v2.yaml: see that it converts what is marked as breaking\n"
        "Size of all files\n"
        "  1 B -> 2.0 KiB\n"
    )


def test_what_only_a_build_would_tell_is_no_difference() -> None:
    found = diff(content("old", images={"one": "sha256:0"}), content("new", images={"one": None}))
    assert not found.differs
    assert report.as_text(found).endswith("no difference\n")
    assert "Nothing changed." in report.as_markdown(found)


def test_fields_of_module_yaml() -> None:
    old = content("old", texts={"module.yaml": b"name: a\nrequirements: {deckhouse: '1'}\n"})
    new = content("new", texts={"module.yaml": b"name: a\nrequirements: {}\ntags: [x]\n"})
    found = diff(old, new)
    assert [(each.path, each.before, each.after) for each in found.module] == [
        ("requirements", None, {}),
        ("requirements.deckhouse", "1", None),
        ("tags", None, ["x"]),
    ]
    assert '  ~ tags: none -> ["x"]\n' in report.as_text(found)


def test_markdown_is_not_broken_by_names() -> None:
    name = "a`b*<script>|\n# heading"
    files = {name: File(size=1, executable=False, sha256="9")}
    text = report.as_markdown(diff(content("old"), content("new", files=files)))
    assert "- `a'b*<script>|\\n# heading`: added, 1 B\n" in text
    schema = {"openapi/config-values.yaml": b"properties: {a: {default: '*x* <b>'}}"}
    plain = {"openapi/config-values.yaml": b"properties: {a: {}}"}
    text = report.as_markdown(diff(content("old", texts=plain), content("new", texts=schema)))
    assert '- `a`: changed, default none -> "\\*x\\* \\<b>"\n' in text


def test_json_holds_names_that_are_no_text() -> None:
    files = {"\udcff": File(size=1, executable=False, sha256="9")}
    value = report.as_json(diff(content("old"), content("new", files=files)))
    assert "\\\\xff" in json.dumps(value, ensure_ascii=False).encode().decode()


def test_which_files_are_compared_by_meaning() -> None:
    assert all(map(is_compared, ("module.yaml", "openapi/values.yaml", "crds/x/y.yml")))
    assert not any(map(is_compared, ("templates/a.yaml", "crds/x.md", "values.yaml")))
