"""GitHub Actions (docs.github.com, "Variables reference")."""

import re
from collections.abc import Mapping
from typing import Final

from orchestrator.ci.job import Job, subset

REFERENCES: Final = ("GITHUB_REF_NAME",)
_PULL: Final = re.compile(r"\d+/merge")
_REGISTRY: Final = "ghcr.io"


def job(environ: Mapping[str, str]) -> Job:
    name = environ.get("GITHUB_REF_NAME", "")
    # On pull_request_target the name is the base branch, and that is what is built.
    is_pull = bool(_PULL.fullmatch(name))
    is_tag = not is_pull and environ.get("GITHUB_REF_TYPE", "tag") == "tag"
    branch = (is_pull and environ.get("GITHUB_HEAD_REF")) or name
    repository = environ.get("GITHUB_REPOSITORY", "").lower()
    owner = repository.partition("/")[0]
    # An own GitHub server has a registry of its own, whose name it does not tell.
    known = repository and environ.get("GITHUB_SERVER_URL") in {None, "", "https://github.com"}
    return Job(
        tag=name if is_tag else None,
        branch=branch,
        commit=environ.get("GITHUB_SHA"),
        images_repo=f"{_REGISTRY}/{repository}" if known else None,
        source=f"{_REGISTRY}/{owner}/modules" if known else None,
        version=subset(environ, "GITHUB_REF_NAME", "GITHUB_REF_TYPE"),
    )
