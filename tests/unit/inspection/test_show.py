"""Tags by their form, their order, and names as they are shown."""

import pytest

from orchestrator.inspection import show
from orchestrator.inspection.listing import Branch, Image, digests, used
from orchestrator.inspection.tags import Kind, kind, ordered
from orchestrator.model import Repository

HEX = "d4bf3e71015d1e757a8481536eeabda98f51f1891d68b539cc50753a"


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("v1.2.3", Kind.VERSION),
        ("v1.2.3-rc.1", Kind.DEVELOPMENT),
        ("main", Kind.DEVELOPMENT),
        ("alpha", Kind.DEVELOPMENT),
        (HEX, Kind.CONTENT),
        (f"{HEX}-1589714365467", Kind.CONTENT),
        (f"{HEX}-158971436546", Kind.DEVELOPMENT),
        (f"{HEX}-1589714365467-rejected", Kind.SERVICE),
        ("fix-rejected", Kind.DEVELOPMENT),
        ("managed-image-backend", Kind.SERVICE),
        ("meta-x_y_z", Kind.SERVICE),
        ("metadata", Kind.DEVELOPMENT),
        ("import-metadata-abc", Kind.SERVICE),
        ("custom-tag-meta-x", Kind.SERVICE),
        ("client-id-x", Kind.SERVICE),
        ("sync-server", Kind.SERVICE),
        ("sha256-" + "0" * 64 + ".att", Kind.ATTESTATION),
        ("v1.2.3.att", Kind.ATTESTATION),
    ],
)
def test_kinds(tag: str, expected: Kind) -> None:
    assert kind(tag) is expected


def test_order() -> None:
    tags = ["stable", "alpha", "main", "v1.10.0", "lts", "v1.9.0", HEX, "beta"]
    assert ordered(tags, of_releases=True) == [
        "v1.9.0", "v1.10.0", "alpha", "beta", "stable", "lts", "main", HEX,
    ]  # fmt: skip
    assert ordered(["main", "alpha", "v1.0.0"]) == ["v1.0.0", "alpha", "main"]


def test_escapes() -> None:
    assert show.escape("plain/имя") == "plain/имя"
    assert show.escape("a\tb\\c\x1b[31m\x7f") == "a\\tb\\\\c\\033[31m\\177"
    assert show.escape("\udcff\u202e\x85") == "\\377\\342\\200\\256\\302\\205"
    assert show.plain("\udcff") == "\\xff" and show.plain("имя") == "имя"


def test_table() -> None:
    assert show.table(("A", "LONG"), [("aaa", ""), ("b\n", "c")]) == (
        "A    LONG\naaa  -\nb\\n  c\n"
    )


def test_a_tree_of_nothing_and_of_little() -> None:
    place = Repository.parse("r.example.io/a/b")
    bare = Branch(name="bare", images=(), releases=())
    assert show.tree(place, [bare]) == "r.example.io\n📁 a/b\n└─ 📁 bare\n"
    some = Branch(name="some", images=("v1",), releases=())
    assert show.tree(place, [bare, some]).endswith("├─ 📁 bare\n└─ 📁 some\n   └─ 📦 v1\n")


def test_digests_that_are_none_are_left_out() -> None:
    good = "sha256:" + "a" * 64
    assert digests(f'{{"a": "{good}", "b": 1, "c": "sha256:x", "d": null}}'.encode()) == {"a": good}
    for data in (None, b"", b"[]", b"{", b"\xff", b"[" * 100_000):
        assert digests(data) == {}


def test_which_version_uses_which_image() -> None:
    found = used(
        [
            Image(tag="v1", kind=Kind.VERSION, digest="m1", images={"a": "d1", "b": "d2"}),
            Image(tag="v2", kind=Kind.VERSION, digest="m2", images={"c": "d1"}),
            Image(tag="x", kind=Kind.CONTENT, digest="d1"),
            Image(tag="y", kind=Kind.CONTENT, digest="d3"),
        ]
    )
    assert [(each.names, each.used_by) for each in found[2:]] == [
        (("a", "c"), ("v1", "v2")),
        ((), ()),
    ]
