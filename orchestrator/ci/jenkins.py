"""Jenkins, multibranch pipelines ("Global Variable Reference" of a Jenkins server)."""

from collections.abc import Mapping
from typing import Final

from orchestrator.ci.job import Job, subset

REFERENCES: Final = ("TAG_NAME", "BRANCH_NAME")


def job(environ: Mapping[str, str]) -> Job:
    # Of a change request the name of the branch is arbitrary, mostly PR-N.
    return Job(
        tag=environ.get("TAG_NAME"),
        branch=environ.get("CHANGE_BRANCH") or environ.get("BRANCH_NAME"),
        commit=environ.get("GIT_COMMIT"),
        version=subset(environ, "TAG_NAME", "CHANGE_ID", "BRANCH_NAME"),
    )
