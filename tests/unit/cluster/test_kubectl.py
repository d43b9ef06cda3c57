"""kubectl: what goes in where, and what its failures mean."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster.kubectl import Kubectl, failure, renewal
from orchestrator.cluster.manifest import to_yaml
from orchestrator.cluster.override import RENEW, Api, PullOverride
from orchestrator.errors import (
    ClusterError,
    ClusterUnreachable,
    ConfigError,
    OrchestratorError,
    ToolMissing,
)
from orchestrator.model import ModuleName
from orchestrator.process import LocalRunner

STANDIN = Path(__file__).parents[2] / "standins" / "kubectl.py"
MANIFEST = to_yaml(PullOverride(module=ModuleName("echo"), tag="main").manifest())
SECRET = "dmVyeS1zZWNyZXQ="


class Cluster:
    """kubectl over the stand-in, and what the stand-in was called with."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def kubectl(self, failure: str = "", context: str | None = None) -> Kubectl:
        environ = {
            "PATH": "/usr/bin:/bin",
            "KUBECTL_STATE": str(self.state),
            "KUBECTL_FAILS": failure,
        }
        return Kubectl(LocalRunner(environ), f"{sys.executable} {STANDIN}", context)

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.state / "calls").read_text().splitlines()]

    def change(self, **more: Any) -> None:
        path = self.state / "objects" / "modulepulloverrides.deckhouse.io.echo"
        path.write_text(json.dumps({**json.loads(path.read_text()), **more}))


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def test_apply_get_and_renew(cluster: Cluster) -> None:
    kubectl = cluster.kubectl()
    assert kubectl.override("echo") is None
    assert kubectl.apply(MANIFEST) == "modulepulloverride.deckhouse.io/echo created"
    assert kubectl.apply(MANIFEST).endswith("unchanged")
    assert kubectl.apply(MANIFEST.replace("main", "pr333")).endswith("configured")
    cluster.change(status={"imageDigest": "sha256:1", "message": "Ready"})
    observed = kubectl.override("echo")
    assert observed and (observed.tag, observed.digest) == ("pr333", "sha256:1")
    # Twice: an old cluster leaves the annotations where they are.
    kubectl.renew("echo", Api.V1ALPHA2)
    kubectl.renew("echo", Api.V1ALPHA2)
    assert (renewed := kubectl.override("echo")) and renewed.renewing
    assert not any("imageTag" in word for call in cluster.calls() for word in call)


def test_warnings_are_passed_on(cluster: Cluster) -> None:
    said = cluster.kubectl().apply(MANIFEST.replace("v1alpha2", "v1alpha1"))
    assert said == (
        "Warning: deckhouse.io/v1alpha1 ModulePullOverride is deprecated\n"
        "modulepulloverride.deckhouse.io/echo created"
    )


def test_the_context_comes_first(cluster: Cluster) -> None:
    cluster.kubectl(context="dev").override("echo")
    assert cluster.calls()[0][:3] == ["--context", "dev", "get"]


def test_renewal_in_both_forms() -> None:
    old = renewal("echo", Api.V1ALPHA1)
    assert old[-1] == ("annotate", "modulepulloverrides.deckhouse.io", "echo", "renew=")
    assert f"{RENEW}=true" in renewal("echo", Api.V1ALPHA2)[-1]


@pytest.mark.parametrize(
    ("name", "kind", "why"),
    [
        ("no-context", ConfigError, "knows no cluster"),
        ("no-config", ConfigError, "knows no cluster"),
        ("refused", ClusterUnreachable, "does not answer"),
        ("dns", ClusterUnreachable, "does not answer"),
        ("unauthorized", ClusterError, "does not know who you are"),
        ("forbidden", ClusterError, "forbids"),
        ("no-crd", ClusterError, "does not know this kind"),
        ("webhook", ClusterError, "refused the object"),
        ("invalid", ClusterError, "does not fit"),
    ],
)
def test_failures(cluster: Cluster, name: str, kind: type[OrchestratorError], why: str) -> None:
    kubectl = cluster.kubectl(name)
    with pytest.raises(OrchestratorError, match=why) as failed:
        kubectl.apply(MANIFEST)
    assert type(failed.value) is kind
    assert failed.value.hint and failed.value.details
    if name not in {"webhook", "invalid"}:
        with pytest.raises(kind, match=why) as failed:
            kubectl.override("echo")
        assert "memcache.go" not in (failed.value.details or "")
        with pytest.raises(kind, match=why):
            kubectl.renew("echo", Api.V1ALPHA2)


def test_renewing_what_is_not_there(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="no such object") as failed:
        cluster.kubectl().renew("echo", Api.V1ALPHA2)
    assert "dev override --apply" in (failed.value.hint or "")


def test_kubectl_repeats_no_secret(cluster: Cluster) -> None:
    manifest = MANIFEST.replace("main", SECRET)
    with pytest.raises(ClusterError) as failed:
        cluster.kubectl("invalid").apply(manifest, secrets=[SECRET, ""])
    assert "***" in (failed.value.details or "")
    assert SECRET not in str(vars(failed.value)) + str(failed.value)


def test_other_failures_keep_their_words() -> None:
    error = failure("get", "Something else\n")
    assert type(error) is ClusterError and error.details == "Something else"
    assert "said nothing" in failure("get", "").message


def test_no_kubectl(tmp_path: Path) -> None:
    runner = LocalRunner({"PATH": str(tmp_path)})
    with pytest.raises(ToolMissing, match="kubectl is not on PATH") as missing:
        Kubectl(runner, "kubectl", None).override("echo")
    assert "--kubectl" in (missing.value.hint or "")
    with pytest.raises(ConfigError, match="is empty"):
        Kubectl(runner, " ", None)


def test_an_answer_that_is_no_json(tmp_path: Path) -> None:
    kubectl = Kubectl(LocalRunner({"PATH": "/usr/bin:/bin"}), "echo", None)
    with pytest.raises(ClusterError, match="did not answer in JSON"):
        kubectl.override("echo")
