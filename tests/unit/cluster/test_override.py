"""Overrides: what a cluster takes, and what it answers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cluster.manifest import to_yaml
from orchestrator.cluster.override import Api, Observed, PullOverride, Standing, advice, compare
from orchestrator.errors import ClusterError, UsageError
from orchestrator.model import ModuleName
from tests.crds import wrong

ECHO = ModuleName("echo")
DIGEST = "sha256:ed958cc2156e3cc363f1932ca6ca2c7f8ae1b09ffc1ce1eb4f12478aed1befbc"
# The documented object with its status.
SEEN = {
    "apiVersion": "deckhouse.io/v1alpha1",
    "kind": "ModulePullOverride",
    "metadata": {"name": "echo"},
    "spec": {"imageTag": "main-patch-03354", "scanInterval": "15s", "source": "test"},
    "status": {"imageDigest": DIGEST, "message": "", "updatedAt": "2023-12-07T08:41:21Z"},
}


@pytest.mark.parametrize(
    "made",
    [
        PullOverride(module=ECHO, tag="main"),
        PullOverride(module=ECHO, tag="1.0", rollback=True, scan_interval="1h30m"),
        PullOverride(module=ECHO, tag="1e3", scan_interval=None),
        PullOverride(module=ECHO, tag="main", api=Api.V1ALPHA1, source="test"),
    ],
)
def test_it_fits_the_schema(made: PullOverride) -> None:
    assert wrong(to_yaml(made.manifest())) == []


def test_the_schema_check_finds_what_does_not_fit() -> None:
    text = to_yaml(PullOverride(module=ECHO, tag="main").manifest())
    assert wrong(text.replace("v1alpha2", "v1alpha1")) == [".spec: no source"]
    assert wrong(text.replace("imageTag", "tag")) == [
        ".spec: no imageTag",
        ".spec: unknown field tag",
    ]
    assert wrong(text.replace("main", "1.0")) == [".spec.imageTag: 1.0 is no string"]
    assert wrong(text.replace("15s", "15x")) == [".spec.scanInterval: '15x' does not match"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"source": "test"}, "names no source"),
        ({"api": Api.V1ALPHA1}, "needs the name of the ModuleSource"),
        ({"api": Api.V1ALPHA1, "source": "test", "rollback": True}, "knows no rollback"),
        ({"api": Api.V1ALPHA1, "source": "Test"}, "not a name"),
        ({"scan_interval": ""}, "not an interval"),
        ({"scan_interval": "0s"}, "not an interval"),
        ({"scan_interval": "15"}, "not an interval"),
        ({"scan_interval": "15s5m"}, "not an interval"),
    ],
)
def test_what_no_cluster_takes_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        PullOverride(module=ECHO, tag="main", **options)
    assert refused.value.hint


def test_reading_the_documented_status() -> None:
    observed = Observed.from_json(SEEN)
    assert observed == Observed(
        tag="main-patch-03354",
        interval="15s",
        digest=DIGEST,
        updated_at="2023-12-07T08:41:21Z",
        message="",
        renewing=False,
    )
    fresh = Observed.from_json({"metadata": {}, "spec": {"imageTag": "x"}})
    assert (fresh.digest, fresh.interval, fresh.updated_at) == (None, "15s", None)
    asked = {**SEEN, "metadata": {"annotations": {"modules.deckhouse.io/renew": "true"}}}
    assert Observed.from_json(asked).renewing


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["spec", "status", "metadata", "imageTag"]), inner)
    ),
)


@given(JSON)
def test_no_answer_is_a_traceback(value: Any) -> None:
    try:
        assert Observed.from_json(value).tag is not None
    except ClusterError as error:
        assert "another shape" in error.message


def test_standing() -> None:
    observed = Observed.from_json(SEEN)
    assert compare(observed, DIGEST) is Standing.IN_SYNC
    assert compare(observed, "sha256:" + "0" * 64) is Standing.BEHIND
    assert compare(observed, None) is Standing.UNPUBLISHED
    assert compare(None, DIGEST) is Standing.ABSENT
    fresh = Observed.from_json({"metadata": {}, "spec": {"imageTag": "x"}})
    assert compare(fresh, DIGEST) is Standing.BEHIND


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("The module not found", "no ModuleSource"),
        ("The module is embedded", "cannot be overridden"),
        ("The module disabled", "ModuleConfig echo, spec.enabled"),
        ("The module does not have an active source", "ModuleConfig echo, spec.source"),
        ("The source not found", "orchestrator dev source"),
        ("Download error: 401", "credentials"),
        ("Validation error: x", "ModuleConfig echo"),
    ],
)
def test_every_message_of_the_cluster_has_advice(message: str, says: str) -> None:
    value = {**SEEN, "status": {"message": message}}
    assert says in (advice(Observed.from_json(value), "echo") or "")


def test_nothing_is_advised_where_all_is_well() -> None:
    value = {**SEEN, "status": {"message": "Ready"}}
    assert advice(Observed.from_json(value), "echo") is None
