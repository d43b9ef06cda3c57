"""ModulePullOverride: what we ask for, what the cluster has made of it, and how the two stand."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from orchestrator.cluster.manifest import manifest, parse_name
from orchestrator.errors import ClusterError, UsageError
from orchestrator.model import ModuleName

KIND: Final = "ModulePullOverride"
RESOURCE: Final = "modulepulloverrides.deckhouse.io"
SCAN_INTERVAL: Final = "15s"
# By the schema of the resource; the whole must not be empty, nor nothing but zeros.
_INTERVAL: Final = re.compile(r"(\d+h)?(\d+m)?(\d+s)?", re.ASCII)

# The first pulls the module again, from the version of DKP on that knows it; the second is what older
# versions document, which only look at the registry at any change of annotations.
RENEW: Final = "modules.deckhouse.io/renew"
OLD_RENEW: Final = "renew"


class Api(StrEnum):
    """Versions of the resource; only v1alpha1 names a ModuleSource."""

    V1ALPHA1 = "v1alpha1"
    V1ALPHA2 = "v1alpha2"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOverride:
    """A module by a tag of its image instead of by a release; raises UsageError for what no cluster takes."""

    module: ModuleName
    tag: str
    scan_interval: str | None = SCAN_INTERVAL
    source: str | None = None
    rollback: bool = False
    api: Api = Api.V1ALPHA2

    def __post_init__(self) -> None:
        if self.scan_interval is not None:
            _check_interval(self.scan_interval)
        if self.api is Api.V1ALPHA2 and self.source is not None:
            raise UsageError(
                "v1alpha2 of ModulePullOverride names no source: the module's ModuleConfig does",
                hint="leave --source-name out, or give --api v1alpha1 for an old cluster",
            )
        if self.api is Api.V1ALPHA1 and self.source is None:
            raise UsageError(
                "v1alpha1 of ModulePullOverride needs the name of the ModuleSource",
                hint="give it with --source-name NAME",
            )
        if self.api is Api.V1ALPHA1 and self.rollback:
            raise UsageError(
                "v1alpha1 of ModulePullOverride knows no rollback",
                hint="leave --rollback out, or use --api v1alpha2",
            )
        if self.source is not None:
            parse_name(self.source)

    def manifest(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"imageTag": self.tag}
        if self.scan_interval is not None:
            spec["scanInterval"] = self.scan_interval
        if self.source is not None:
            spec["source"] = self.source
        if self.rollback:
            spec["rollback"] = True
        return manifest(self.api, KIND, self.module, spec)


def _check_interval(text: str) -> None:
    if not _INTERVAL.fullmatch(text) or not re.search(r"[1-9]", text):
        raise UsageError(
            f"{text!r} is not an interval",
            hint="write hours, minutes and seconds in this order, as in 15s, 5m or 1h30m",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A ModulePullOverride as the cluster has it; `digest` is what it has loaded, if anything."""

    tag: str
    interval: str
    digest: str | None
    updated_at: str | None
    message: str
    renewing: bool

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """From `kubectl get -o json`; raises ClusterError for another shape."""
        try:
            spec, status = value["spec"], value.get("status") or {}
            annotations = value["metadata"].get("annotations") or {}
            return cls(
                tag=str(spec["imageTag"]),
                interval=str(spec.get("scanInterval") or SCAN_INTERVAL),
                digest=str(status.get("imageDigest") or "") or None,
                updated_at=str(status.get("updatedAt") or "") or None,
                message=str(status.get("message") or ""),
                renewing=annotations.get(RENEW) == "true",
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ClusterError("the cluster's ModulePullOverride is of another shape") from error


class Standing(StrEnum):
    """How the cluster stands to the registry."""

    IN_SYNC = "in sync"
    BEHIND = "cluster behind"
    ABSENT = "override absent"
    UNPUBLISHED = "image absent"


def compare(observed: Observed | None, published: str | None) -> Standing:
    """What the cluster has loaded against the digest that its tag names in the registry."""
    if observed is None:
        return Standing.ABSENT
    if published is None:
        return Standing.UNPUBLISHED
    return Standing.IN_SYNC if observed.digest == published else Standing.BEHIND


# By the messages of DKP's override controller.
_ADVICE: Final = (
    (
        "The module not found",
        (
            "no ModuleSource of the cluster lists the module: see its registry, its credentials and the "
            "message of `kubectl get modulesources`; a source is read every 3 minutes"
        ),
    ),
    ("The module is embedded", "the module is part of DKP itself and cannot be overridden"),
    ("The module disabled", "enable the module: ModuleConfig {name}, spec.enabled: true"),
    (
        "The module does not have an active source",
        "name the source: ModuleConfig {name}, spec.source",
    ),
    ("The source not found", "the ModuleSource is gone: orchestrator dev source NAME --apply"),
    (
        "Download error",
        (
            "see that the cluster reaches the registry, and the credentials, scheme and CA of its "
            "ModuleSource"
        ),
    ),
    (
        "Validation error",
        "the module's openapi schemas and the settings in ModuleConfig {name} do not fit",
    ),
)


def advice(observed: Observed, name: str) -> str | None:
    """What to do about the cluster's message, None where there is nothing to do."""
    for start, text in _ADVICE:
        if observed.message.startswith(start):
            return text.format(name=name)
    return None
