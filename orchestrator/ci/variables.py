"""The variables that a CI job gives to `build` and `images publish`, as lines for a shell."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator import version
from orchestrator.ci import github, gitlab, jenkins
from orchestrator.ci.job import Job
from orchestrator.errors import ConfigError, UsageError

STRATEGIES: Final = ("tag-or-branch", "commit")

_SYSTEMS: Final[Mapping[str, tuple[Callable[[Mapping[str, str]], Job], Sequence[str]]]] = {
    "gitlab": (gitlab.job, gitlab.REFERENCES),
    "github": (github.job, github.REFERENCES),
    "jenkins": (jenkins.job, jenkins.REFERENCES),
}
SYSTEMS: Final = tuple(_SYSTEMS)
# What stays special between the double quotes of a POSIX shell.
_SPECIAL: Final = re.compile(r'[\\"$`]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """Variables by name; `warnings` say what could not be derived, and why."""

    values: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def derive(system: str, environ: Mapping[str, str], *, strategy: str) -> Derived:
    """Raises UsageError for a CI system that is not known, ConfigError outside a job of it."""
    if system not in _SYSTEMS:
        close = difflib.get_close_matches(system.lower(), SYSTEMS, n=1)
        tip = f"; did you mean {close[0]}?" if close else ""
        raise UsageError(
            f"there is no CI system {system!r}{tip}", hint=f"one of {', '.join(SYSTEMS)}"
        )
    read, references = _SYSTEMS[system]
    job = read(environ)
    name, value = _tag(job, strategy)
    if not value:
        looked = "the commit" if strategy == "commit" else _list(references)
        raise ConfigError(
            f"this is no job of {system}: the environment does not tell {looked}",
            hint="run it within a job, or give the tags to `images publish` yourself",
        )
    values = {name: value, "WERF_IMAGES_REPO": job.images_repo, "MODULES_MODULE_SOURCE": job.source}
    warnings: tuple[str, ...] = ()
    try:
        values["MODULES_MODULE_TAG"] = _version(job)
    except ConfigError as error:
        warnings = (f"MODULES_MODULE_TAG is left out: {error.message}",)
    return Derived(
        values={name: value for name, value in sorted(values.items()) if value}, warnings=warnings
    )


def _tag(job: Job, strategy: str) -> tuple[str, str | None]:
    if strategy == "commit":
        return "WERF_TAG_GIT_COMMIT", job.commit
    return ("WERF_TAG_GIT_TAG", job.tag) if job.tag else ("WERF_TAG_GIT_BRANCH", job.branch)


def _version(job: Job) -> str:
    """The version that a build in this job chooses, where HEAD has no git tag."""
    return version.choose(None, job.version, tags=(), branch=None).version.tag


def _list(names: Sequence[str]) -> str:
    return " or ".join(f"${name}" for name in names)


def lines(derived: Derived, environ: Mapping[str, str]) -> str:
    """A script that exports them; what is set in the environment is left as it is."""
    return "".join(
        f"# {name} is set already\n" if environ.get(name) else f"export {name}={quoted(value)}\n"
        for name, value in derived.values.items()
    )


def quoted(text: str) -> str:
    """A word for a POSIX shell, in double quotes, that reads back as the text."""
    return '"' + _SPECIAL.sub(r"\\\g<0>", text) + '"'
