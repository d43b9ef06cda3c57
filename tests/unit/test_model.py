"""Value types: what parses comes out as it went in, and nothing else parses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from orchestrator.model import Channel, Digest, ModuleName, Reference, Repository, Version

HEX = "0123456789abcdef"
DIGESTS = st.text(HEX, min_size=64, max_size=64).map(lambda text: f"sha256:{text}")
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
HOSTS = st.from_regex(
    r"(r[a-z]{0,4}\.io|localhost|127\.0\.0\.1)(:[1-9][0-9]{0,3})?", fullmatch=True
)
PATHS = st.lists(
    st.from_regex(r"[a-z0-9]{1,4}((\.|_|__|-{1,3})[a-z0-9]{1,3})?", fullmatch=True),
    min_size=1,
    max_size=4,
).map("/".join)


@given(HOSTS, PATHS, TAGS, DIGESTS)
def test_references_round_trip(host: str, path: str, tag: str, digest: str) -> None:
    for text in (
        f"{host}/{path}:{tag}",
        f"{host}/{path}@{digest}",
        f"{host}/{path}:{tag}@{digest}",
    ):
        reference = Reference.parse(text)
        assert str(reference) == text
        assert reference.repository == Repository(host, path)
        assert reference.target == (digest if "@" in text else tag)


@given(st.text(max_size=40) | st.text("a:/@.-_A5", max_size=20))
def test_any_text_parses_to_itself_or_not_at_all(text: str) -> None:
    for parse in (Reference.parse, Repository.parse, Digest.parse, ModuleName.parse, Version.parse):
        try:
            assert str(parse(text)) == text
        except ConfigError as error:
            assert error.message


@pytest.mark.parametrize(
    "text",
    ["r.io", "r.io/", "modules/echo", "https://r.io/m", "r.io/M", "r.io/m:v1", "r.io//m", "r.io/m/",
     "u:p@r.io/m", "r.io/../m", "-r.io/m", "r.io/m\n", "r.io:x/m", ""],
)  # fmt: skip
def test_bad_repositories(text: str) -> None:
    with pytest.raises(ConfigError):
        Repository.parse(text)


@pytest.mark.parametrize(
    "text", ["r.io/m", "r.io/m:", "r.io/m:.x", "r.io/m@sha256:1", "r.io/m:" + "x" * 129]
)
def test_bad_references(text: str) -> None:
    with pytest.raises(ConfigError):
        Reference.parse(text)


def test_repositories_have_parents_and_children() -> None:
    repository = Repository.parse("r.io/a/b")
    assert str(repository / "release") == "r.io/a/b/release"
    assert repository.last == "b"
    assert repository.parent == Repository("r.io", "a")
    assert Repository("r.io", "a").parent is None
    with pytest.raises(ConfigError):
        repository / "UP"


@pytest.mark.parametrize("name", ["echo", "csi-s3", "a", "a1-b2", "x" * 64])
def test_module_names(name: str) -> None:
    assert ModuleName.parse(name) == name


@pytest.mark.parametrize(
    "name", ["", "Echo", "1a", "a--b", "a-", "-a", "a-1b", "a_b", "a.b", "modules", "x" * 65, "a\n"]
)
def test_bad_module_names(name: str) -> None:
    with pytest.raises(ConfigError):
        ModuleName.parse(name)


@pytest.mark.parametrize(
    ("text", "release"),
    [("v1.2.3", True), ("v0.0.0", True), ("v01.2.3", False), ("v1.2", False), ("1.2.3", False),
     ("v1.2.3-rc.1", False), ("pr333", False), ("v1.2.٣", None), ("v1.2.3+meta", None), ("a/b", None)],
)  # fmt: skip
def test_versions(text: str, release: bool | None) -> None:
    if release is None:
        with pytest.raises(ConfigError):
            Version.parse(text)
    else:
        assert Version.parse(text).release is release


@pytest.mark.parametrize("channel", list(Channel))
def test_a_channel_is_no_version(channel: str) -> None:
    with pytest.raises(ConfigError, match="release channel"):
        Version.parse(channel)
