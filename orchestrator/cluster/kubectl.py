"""kubectl: manifests go in by stdin, answers come out as values, failures with their cause."""

import json
import re
import shlex
from collections.abc import Iterable
from typing import Final

from orchestrator.cluster.override import OLD_RENEW, RENEW, RESOURCE, Api, Observed
from orchestrator.errors import (
    ClusterError,
    ClusterUnreachable,
    ConfigError,
    OrchestratorError,
    ToolMissing,
)
from orchestrator.process import Command, Outcome, Runner

_SECONDS: Final = 120.0
_MOST_LINES: Final = 8
# klog lines, such as `E1121 07:35:24.783326   19430 memcache.go:265] …`, repeat what follows them.
_NOISE: Final = re.compile(r"[EWI]\d{4} \d\d:\d\d:\d\d\.\d+ ")

# First match wins; texts as kubectl 1.32 writes them.
_CAUSES: Final[tuple[tuple[str, type[OrchestratorError], str, str], ...]] = (
    (
        (
            r"localhost:8080|context was not found|context \"[^\"]*\" does not exist|error loading config"
            r"|no configuration has been provided|Missing or incomplete configuration"
        ),
        ConfigError,
        "kubectl knows no cluster",
        "set KUBECONFIG or --kube-context; see: kubectl config get-contexts",
    ),
    (
        r"must be logged in|provide credentials|Unauthorized",
        ClusterError,
        "the cluster does not know who you are",
        "log in to the cluster again, or see the user of the kubeconfig's context",
    ),
    (
        r"\(Forbidden\)|is forbidden:",
        ClusterError,
        "the cluster forbids it",
        "ask for the right to get, create and patch modulepulloverrides and modulesources of deckhouse.io",
    ),
    (
        r"x509:|tls: ",
        ClusterError,
        "the cluster's certificate is not trusted",
        "see certificate-authority-data in the kubeconfig",
    ),
    (
        (
            r"was refused|connection refused|Unable to connect|no such host|i/o timeout|connection reset"
            r"|TLS handshake timeout|deadline exceeded|Client\.Timeout|request timed out"
            r"|\(ServiceUnavailable\)|\(InternalError\)|\(TooManyRequests\)|unexpected EOF"
        ),
        ClusterUnreachable,
        "the cluster does not answer",
        "see that it is up and that this machine reaches it, then run the same command again",
    ),
    (
        r"have a resource type|no matches for kind|ensure CRDs are installed",
        ClusterError,
        "the cluster does not know this kind of object in this version",
        (
            "see: kubectl api-resources --api-group=deckhouse.io; an old DKP takes --api v1alpha1, and a "
            "cluster without DKP none"
        ),
    ),
    (
        r"\(NotFound\)",
        ClusterError,
        "there is no such object in the cluster",
        "make it first: orchestrator dev override --apply",
    ),
    (
        r"denied the request",
        ClusterError,
        "the cluster refused the object",
        "its own words above say why",
    ),
    (
        r"is invalid|unknown field|error validating data",
        ClusterError,
        "the object does not fit the cluster's schema",
        "another DKP may take another version: see --api",
    ),
)


class Kubectl:
    """A kubectl program with its context; `program` may be several words, as in `d8 k`."""

    def __init__(self, runner: Runner, program: str, context: str | None) -> None:
        self._runner = runner
        self.argv = (*shlex.split(program), *(("--context", context) if context else ()))
        if not shlex.split(program):
            raise ConfigError("--kubectl is empty", hint="leave it out, or name the program")

    def check(self) -> None:
        """Raises ToolMissing, so that nothing is built first."""
        if self._runner.which(self.argv[0]) is None:
            raise ToolMissing(
                f"{self.argv[0]} is not on PATH, and --apply needs it",
                hint="install kubectl, name another with --kubectl 'd8 k', or leave --apply out and "
                "hand over the manifest yourself",
            )

    def apply(self, manifest: str, *, secrets: Iterable[str] = ()) -> str:
        """Create or change the object; kubectl's word on it, such as `… configured`, and its warnings."""
        outcome = self._run("apply", "-f", "-", stdin=manifest, secrets=secrets)
        said = outcome.stderr.decode(errors="replace") + outcome.text
        return "\n".join(_lines(said, secrets))

    def override(self, name: str) -> Observed | None:
        """The module's override, None where there is none."""
        text = self._run("get", RESOURCE, name, "-o", "json", "--ignore-not-found").text
        if not text.strip():
            return None
        try:
            return Observed.from_json(json.loads(text))
        except ValueError as error:
            raise ClusterError("kubectl get -o json did not answer in JSON") from error

    def renew(self, name: str, api: Api) -> None:
        """Have the cluster look at the registry now."""
        for arguments in renewal(name, api):
            self._run(*arguments)

    def _run(self, *arguments: str, stdin: str = "", secrets: Iterable[str] = ()) -> Outcome:
        self.check()
        outcome = self._runner.run(
            Command(argv=(*self.argv, *arguments), stdin=stdin.encode()), timeout=_SECONDS
        )
        if outcome.timed_out:
            raise ClusterUnreachable(
                f"kubectl {arguments[0]} did not end within {_SECONDS:.0f} s",
                hint="see that the cluster is up and that this machine reaches it",
            )
        if outcome.exit_code != 0:
            raise failure(arguments[0], outcome.stderr.decode(errors="replace"), secrets)
        return outcome


def renewal(name: str, api: Api) -> tuple[tuple[str, ...], ...]:
    """Arguments of kubectl, command by command: marks left from before go first, since only a change

    of annotations counts.
    """
    annotate = ("annotate", RESOURCE, name)
    if api is Api.V1ALPHA1:
        return ((*annotate, f"{OLD_RENEW}-"), (*annotate, f"{OLD_RENEW}="))
    return (
        (*annotate, f"{RENEW}-", f"{OLD_RENEW}-"),
        (*annotate, f"{RENEW}=true", f"{OLD_RENEW}="),
    )


def failure(verb: str, stderr: str, secrets: Iterable[str] = ()) -> OrchestratorError:
    """The error for what kubectl wrote, without what is secret in it."""
    details = "\n".join(_lines(stderr, secrets)[-_MOST_LINES:])[:4000]
    for pattern, kind, why, hint in _CAUSES:
        if re.search(pattern, stderr):
            return _error(kind, f"kubectl {verb}: {why}", hint, details)
    return _error(
        ClusterError,
        f"kubectl {verb} failed" + ("" if details else " and said nothing"),
        "its own words above say why" if details else "run it by hand to see",
        details,
    )


def _lines(text: str, secrets: Iterable[str]) -> list[str]:
    """What kubectl said, without noise and secrets."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return [line for line in text.splitlines() if line.strip() and not _NOISE.match(line)]


def _error(
    kind: type[OrchestratorError], message: str, hint: str, details: str
) -> OrchestratorError:
    error = kind(message, hint=hint)
    error.details = details or None
    return error
