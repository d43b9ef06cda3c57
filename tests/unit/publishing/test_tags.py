"""Which tags come of the parameters, and which parameters are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model import parse_tag
from orchestrator.publishing.tags import SLUGS, Parameter, Strategy, Tag, make, requested

BRANCH, COMMIT, CUSTOM, GIT_TAG = (
    Strategy.GIT_BRANCH,
    Strategy.GIT_COMMIT,
    Strategy.CUSTOM,
    Strategy.GIT_TAG,
)


def made(*parameters: tuple[Strategy, str], style: str = "werf") -> tuple[list[str], list[str]]:
    asked = [Parameter(strategy=s, value=v, origin=s.flag) for s, v in parameters]
    tags, findings = make(asked, style)
    return [tag.tag for tag in tags], [str(finding) for finding in findings]


def test_flags_take_the_place_of_variables_of_their_strategy() -> None:
    environ = {
        "WERF_TAG_GIT_TAG": "v1",
        "WERF_TAG_GIT_BRANCH": "main",
        "WERF_TAG_GIT_COMMIT": "",
        "WERF_TAG_CUSTOM": "c0",
        "WERF_TAG_CUSTOM_2": "c2",
        "WERF_TAG_CUSTOM_1": "c1",
        "WERF_TAG_CUSTOM_3": "",
        "WERF_TAG_GIT_BRANCH_1": "not read",
    }
    found = [(p.value, p.origin) for p in requested({BRANCH: ("a", "b")}, environ)]
    assert found == [
        ("v1", "$WERF_TAG_GIT_TAG"),
        ("a", "--tag-git-branch"),
        ("b", "--tag-git-branch"),
        ("c0", "$WERF_TAG_CUSTOM"),
        ("c1", "$WERF_TAG_CUSTOM_1"),
        ("c2", "$WERF_TAG_CUSTOM_2"),
    ]
    assert requested({}, {}) == []


@pytest.mark.parametrize("strategy", [GIT_TAG, BRANCH, COMMIT])
def test_git_references_are_slugged_and_custom_tags_are_not(strategy: Strategy) -> None:
    reference = "core/feature/ADD_SETTINGS"
    assert made((strategy, reference))[0] == ["core-feature-add-settings-df80fdc3"]
    found = made((strategy, reference), style="werf-v1")
    assert found == (["core-feature-add-settings-c3fd80df"], [])
    assert made((CUSTOM, "V1_2.3-x"), style="werf-v1") == (["V1_2.3-x"], [])


def test_the_same_twice_is_once() -> None:
    assert made((CUSTOM, "a"), (BRANCH, "b"), (CUSTOM, "a")) == (["a", "b"], [])


def test_two_that_make_one_tag_are_refused() -> None:
    _, findings = made((BRANCH, "main"), (CUSTOM, "main"))
    assert findings == ["--tag-custom: 'main' makes the tag main, which --tag-git-branch makes too"]
    slugged = SLUGS["werf"]("a/b")
    _, findings = made((BRANCH, "a/b"), (BRANCH, slugged))
    assert len(findings) == 1


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ((CUSTOM, "a b"), "is not a legal tag"),
        ((CUSTOM, "feature/x"), "is not a legal tag"),
        ((CUSTOM, ".a"), "is not a legal tag"),
        ((CUSTOM, "x" * 129), "is not a legal tag"),
        ((CUSTOM, ""), "is empty"),
        ((BRANCH, ""), "is empty"),
        ((BRANCH, "a\nb"), "control character"),
        ((BRANCH, "a\udcff"), "control character"),
    ],
)
def test_refused(parameter: tuple[Strategy, str], says: str) -> None:
    tags, findings = made(parameter, (CUSTOM, "good"))
    assert tags == ["good"]
    assert len(findings) == 1 and says in findings[0]


@given(st.sampled_from(sorted(SLUGS)), st.text(min_size=1, max_size=300))
def test_any_git_reference_makes_a_legal_tag_or_a_finding(style: str, text: str) -> None:
    tags, findings = make([Parameter(strategy=BRANCH, value=text, origin="x")], style)
    assert len(tags) + len(findings) == 1
    for tag in tags:
        assert tag == Tag(strategy=BRANCH, value=text, tag=parse_tag(tag.tag))
    for finding in findings:
        assert "control character" in finding.message
