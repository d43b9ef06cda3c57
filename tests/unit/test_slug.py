"""Slugs equal to what the real werf printed, and to the published examples of werf 1.0."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import slug

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "slugify.json").read_text())


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: row["input"][:30])
def test_equal_to_werf(row: dict[str, str]) -> None:
    assert slug.docker_tag(row["input"]) == row["docker_tag"]
    assert slug.kubernetes_namespace(row["input"]) == row["kubernetes_namespace"]


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("-data", "data-a871d86e"),
        ("da/ta", "da-ta-afa96f8"),
        ("x" * 129, "x" * 119 + "-8cca70eb"),
        ("helo/ehlo", "helo-ehlo-b6f6ab1f"),
        ("16.04", "16.04"),
        ("Features/MyFeature#169", "features-myfeature169-3167bc8c"),
        ("ветка", "vyetka-1fdecee0"),
        ("a/b/", "a-b-829264ea"),
        ("!", "72661cf4"),
        ("", ""),
    ],
)
def test_docker_tag(text: str, tag: str) -> None:
    assert slug.docker_tag(text) == tag


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("da_ta", "da-ta-3b339d14"),
        ("kubernetes.namespace", "kubernetes-namespace-1507f75c"),
        ("x" * 64, "x" * 54 + "-afd4efcd"),
        ("branch/one/!@#4.4-3", "branch-one-4-4-3-4fe08955"),
        ("My_branch", "my-branch-8ebf2d1d"),
    ],
)
def test_kubernetes_namespace(text: str, name: str) -> None:
    assert slug.kubernetes_namespace(text) == name


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("core/feature/ADD_SETTINGS", "core-feature-add-settings-c3fd80df"),
        ("v2.3.1", "v2-3-1-5cb8b0a4"),
        ("rework-cache", "rework-cache"),
    ],
)
def test_werf_v1_tag(text: str, tag: str) -> None:
    assert slug.werf_v1_tag(text) == tag


@given(st.text(min_size=1, max_size=200))
def test_any_text_becomes_a_legal_tag_that_stays_itself(text: str) -> None:
    tag = slug.docker_tag(text)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", tag)
    assert slug.docker_tag(tag) == tag


@given(st.text(min_size=1, max_size=100))
def test_any_text_becomes_a_legal_namespace(text: str) -> None:
    name = slug.kubernetes_namespace(text)
    assert len(name) <= 63
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)


def test_a_long_werf_v1_tag_is_cut() -> None:
    assert slug.werf_v1_tag("x" * 128) == "x" * 128
    assert slug.werf_v1_tag("x" * 129) == "x" * 119 + "-eb70ca8c"
