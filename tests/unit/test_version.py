"""Which version is published, by everything that may say so."""

import pytest

from orchestrator.errors import ConfigError
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
    with pytest.raises(ConfigError, match="is named like a release"):
        chosen(GITHUB_REF_NAME="v1.2.3", GITHUB_REF_TYPE="branch")


@pytest.mark.parametrize("text", ["1.2.3", "v1.2", "v01.2.3"])
def test_almost_a_release_is_warned_of(text: str) -> None:
    found = chosen(text)
    assert not found.version.release
    assert found.warning
    assert chosen("v1.2.3").warning is None
    assert chosen("main").warning is None
