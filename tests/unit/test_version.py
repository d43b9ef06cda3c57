"""Which version is published, by everything that may say so."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from orchestrator.model import Channel, parse_tag
from orchestrator.version import Chosen, choose


def chosen(
    asked: str | None = None,
    *,
    tags: tuple[str, ...] = (),
    branch: str | None = None,
    **environ: str,
) -> Chosen:
    return choose((asked, "--tag") if asked else None, environ, tags=tags, branch=branch)


@pytest.mark.parametrize(
    ("environ", "tag", "origin"),
    [
        ({"CI_COMMIT_TAG": "v1.2.3", "GITHUB_REF_NAME": "x"}, "v1.2.3", "$CI_COMMIT_TAG"),
        ({"GITHUB_REF_NAME": "v1.2.3"}, "v1.2.3", "$GITHUB_REF_NAME"),
        ({"GITHUB_REF_NAME": "12/merge", "GITHUB_REF_TYPE": "branch"}, "pr12", "$GITHUB_REF_NAME"),
        (
            {"GITHUB_REF_NAME": "feature/x", "GITHUB_REF_TYPE": "branch"},
            "feature-x-8339ecf4",
            "$GITHUB_REF_NAME",
        ),
        ({"TAG_NAME": "v2.0.0", "BRANCH_NAME": "v2.0.0"}, "v2.0.0", "$TAG_NAME"),
        (
            {"CI_MERGE_REQUEST_IID": "12", "CI_COMMIT_REF_NAME": "x"},
            "mr12",
            "$CI_MERGE_REQUEST_IID",
        ),
        ({"CHANGE_ID": "7", "BRANCH_NAME": "PR-7"}, "pr7", "$CHANGE_ID"),
        ({"CI_COMMIT_REF_NAME": "main"}, "main", "$CI_COMMIT_REF_NAME"),
        ({"BRANCH_NAME": "main"}, "main", "$BRANCH_NAME"),
        ({"CI_COMMIT_TAG": "", "BRANCH_NAME": "main"}, "main", "$BRANCH_NAME"),
        (
            {"CI_COMMIT_REF_NAME": "core/feature/ADD_SETTINGS"},
            "core-feature-add-settings-df80fdc3",
            "$CI_COMMIT_REF_NAME",
        ),
        ({"GITHUB_REF_NAME": "v1.2.3-rc.1"}, "v1.2.3-rc.1", "$GITHUB_REF_NAME"),
    ],
)
def test_ci(environ: dict[str, str], tag: str, origin: str) -> None:
    found = chosen(**environ)
    assert (found.version.tag, found.origin) == (tag, origin)


def test_what_is_asked_for_wins() -> None:
    assert chosen("v1.0.0", CI_COMMIT_TAG="v2.0.0", tags=("v3.0.0",)).version.tag == "v1.0.0"


def test_git_says_it_where_nothing_else_does() -> None:
    assert chosen(tags=("v1.0.0",), branch="main").origin == "git tag at HEAD"
    assert chosen(tags=("stable", "v1.9.0", "v1.10.0")).version.tag == "v1.10.0"
    assert chosen(branch="feature/x").version.tag == "feature-x-8339ecf4"
    assert not chosen(branch="main").version.release


# Each of them wins over all that come after it.
CHAIN = (
    ({"CI_COMMIT_TAG": "t1"}, "t1"),
    ({"GITHUB_REF_NAME": "t2", "GITHUB_REF_TYPE": "tag"}, "t2"),
    ({"TAG_NAME": "t3"}, "t3"),
    ({"tags": ("t4",)}, "t4"),
    ({"CI_MERGE_REQUEST_IID": "5"}, "mr5"),
    ({"CHANGE_ID": "6"}, "pr6"),
    ({"CI_COMMIT_REF_NAME": "b7"}, "b7"),
    ({"BRANCH_NAME": "b8"}, "b8"),
    ({"branch": "b9"}, "b9"),
)


@pytest.mark.parametrize("first", range(len(CHAIN)))
def test_the_order_of_those_who_say_it(first: int) -> None:
    said: dict[str, Any] = {}
    for sources, _ in CHAIN[first:]:
        said.update(sources)
    assert chosen(**said).version.tag == CHAIN[first][1]


@pytest.mark.parametrize(
    ("tags", "tag"),
    [
        (("alpha", "build-7"), "build-7"),
        (("v1.2.3", "v1.2.3-rc.1"), "v1.2.3"),
        (("v0.9.0", "1.0.0", "stable"), "v0.9.0"),
    ],
)
def test_a_channel_beside_another_tag_is_no_trouble(tags: tuple[str, ...], tag: str) -> None:
    for order in permutations(tags):
        assert chosen(tags=order).version.tag == tag


def test_a_commit_with_nothing_but_a_channel_is_refused() -> None:
    with pytest.raises(ConfigError, match="name of a release channel"):
        chosen(tags=("stable",), branch="main")


def test_nothing_says_it() -> None:
    with pytest.raises(ConfigError, match="no version"):
        chosen()


@pytest.mark.parametrize("name", ["alpha", "beta", "early-access", "stable", "rock-solid", "lts"])
def test_channel_names_are_reserved(name: str) -> None:
    for found in (lambda: chosen(name), lambda: chosen(branch=name), lambda: chosen(TAG_NAME=name)):
        with pytest.raises(ConfigError, match="name of a release channel"):
            found()


def test_a_branch_is_never_a_release() -> None:
    with pytest.raises(ConfigError, match="is named like a release"):
        chosen(branch="v1.2.3")
    for name in ("BRANCH_NAME", "CI_COMMIT_REF_NAME"):
        with pytest.raises(ConfigError, match="is named like a release"):
            chosen(**{name: "v1.2.3"})
    with pytest.raises(ConfigError, match="is named like a release"):
        chosen(GITHUB_REF_NAME="v1.2.3", GITHUB_REF_TYPE="branch")


@given(st.text(min_size=1, max_size=150))
def test_any_branch_is_a_development_tag_or_refused(branch: str) -> None:
    try:
        found = chosen(branch=branch)
    except ConfigError:
        return
    assert not found.version.release
    assert parse_tag(found.version.tag) not in set(Channel)


@pytest.mark.parametrize("text", ["1.2.3", "v1.2", "v01.2.3"])
def test_almost_a_release_is_warned_of(text: str) -> None:
    found = chosen(text)
    assert not found.version.release
    assert found.warning
    assert chosen("v1.2.3").warning is None
    assert chosen("main").warning is None


def development(asked: str | None = None, *, branch: str | None = None, **environ: str) -> Chosen:
    """At a commit that is tagged as a release."""
    return choose(
        (asked, "--tag") if asked else None,
        environ,
        tags=("v1.0.0",),
        branch=branch,
        development=True,
    )


@pytest.mark.parametrize(
    ("environ", "tag"),
    [
        ({"GITHUB_REF_NAME": "333/merge", "GITHUB_REF_TYPE": "branch"}, "pr333"),
        ({"GITHUB_REF_NAME": "feature/x", "GITHUB_REF_TYPE": "branch"}, "feature-x-8339ecf4"),
        ({"CI_MERGE_REQUEST_IID": "12", "CI_COMMIT_REF_NAME": "x"}, "mr12"),
        ({"CHANGE_ID": "7", "BRANCH_NAME": "PR-7"}, "pr7"),
        ({"CI_COMMIT_REF_NAME": "topic"}, "topic"),
        # Runs for a git tag: what names the tag is passed over.
        ({"GITHUB_REF_NAME": "v1.0.0", "GITHUB_REF_TYPE": "tag"}, "local"),
        ({"CI_COMMIT_TAG": "v1.0.0", "CI_COMMIT_REF_NAME": "v1.0.0"}, "local"),
        ({"TAG_NAME": "v1.0.0", "BRANCH_NAME": "v1.0.0"}, "local"),
        ({}, "local"),
    ],
)
def test_a_development_tag(environ: dict[str, str], tag: str) -> None:
    found = development(branch="local", **environ)
    assert found.version.tag == tag and not found.version.release
    assert development("my-tag", branch="local", **environ).version.tag == "my-tag"


@pytest.mark.parametrize(
    ("asked", "branch", "says"),
    [
        ("v1.0.0", "main", "is a release"),
        ("stable", "main", "release channel"),
        (None, "v1.0.0", "named like a release"),
        (None, "alpha", "release channel"),
        (None, None, "no development tag"),
    ],
)
def test_no_development_tag(asked: str | None, branch: str | None, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        development(asked, branch=branch)
    assert refused.value.hint
