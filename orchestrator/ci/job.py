"""A CI job in our terms."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is built: a git tag or a branch, and a commit; where to, as far as the CI system knows.

    `version` holds the variables of this CI system that tell the version of a build.
    """

    tag: str | None
    branch: str | None
    commit: str | None
    images_repo: str | None = None
    source: str | None = None
    version: Mapping[str, str] = field(default_factory=dict)


def subset(environ: Mapping[str, str], *names: str) -> dict[str, str]:
    """The variables of these names that are set."""
    return {name: environ[name] for name in names if environ.get(name)}
