"""GitLab CI (docs.gitlab.com, "Predefined CI/CD variables reference")."""

from collections.abc import Mapping
from typing import Final

from orchestrator.ci.job import Job, subset

REFERENCES: Final = ("CI_COMMIT_TAG", "CI_COMMIT_REF_NAME")


def job(environ: Mapping[str, str]) -> Job:
    # Before GitLab 11.11 the reference of a merge request's pipeline was no branch.
    branch = environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME") or environ.get("CI_COMMIT_REF_NAME")
    image = environ.get("CI_REGISTRY_IMAGE")
    return Job(
        tag=environ.get("CI_COMMIT_TAG"),
        branch=branch,
        commit=environ.get("CI_COMMIT_SHA"),
        images_repo=image,
        source=image,
        version=subset(environ, "CI_COMMIT_TAG", "CI_MERGE_REQUEST_IID", "CI_COMMIT_REF_NAME"),
    )
