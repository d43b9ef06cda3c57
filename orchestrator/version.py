"""Which version is published: what was asked for, else what CI, git tag or branch say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.errors import ConfigError
from orchestrator.model import Channel, Version, is_release, precedence
from orchestrator.slug import docker_tag

_GITHUB_PULL = re.compile(r"(\d+)/merge")
_ALMOST_RELEASE = re.compile(r"v?\d+(\.\d+){1,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The version, where it came from, and what a user should know of it."""

    version: Version
    origin: str
    warning: str | None = None


def choose(
    asked: tuple[str, str] | None,
    environ: Mapping[str, str],
    *,
    tags: Sequence[str],
    branch: str | None,
    development: bool = False,
) -> Chosen:
    """`asked` is (text, origin) of --tag or $MODULES_MODULE_TAG; raises ConfigError.

    For `development`, tags of the commit do not count, and a release is refused.
    """
    if development:
        return _development(asked, environ, branch)
    if asked is not None:
        return _chosen(*asked)
    if text := environ.get("CI_COMMIT_TAG"):
        return _chosen(text, "$CI_COMMIT_TAG")
    if text := environ.get("GITHUB_REF_NAME"):
        if pull := _GITHUB_PULL.fullmatch(text):
            return _chosen(f"pr{pull[1]}", "$GITHUB_REF_NAME")
        if environ.get("GITHUB_REF_TYPE", "tag") != "tag":
            return _branch(text, "$GITHUB_REF_NAME")
        return _chosen(text, "$GITHUB_REF_NAME")
    if text := environ.get("TAG_NAME"):
        return _chosen(text, "$TAG_NAME")
    if tags:
        return _chosen(_best(tags), "git tag at HEAD")
    if found := _request_or_branch(environ, branch):
        return found
    raise ConfigError(
        "no version: HEAD is on no branch, has no tag, and the environment names none",
        hint="give one with --tag vX.Y.Z, or --tag NAME for a development build",
    )


def _request_or_branch(environ: Mapping[str, str], branch: str | None) -> Chosen | None:
    for name, prefix in (("CI_MERGE_REQUEST_IID", "mr"), ("CHANGE_ID", "pr")):
        if text := environ.get(name):
            return _chosen(prefix + text, f"${name}")
    for name in ("CI_COMMIT_REF_NAME", "BRANCH_NAME"):
        if text := environ.get(name):
            return _branch(text, f"${name}")
    return _branch(branch, "git branch") if branch else None


def _development(
    asked: tuple[str, str] | None, environ: Mapping[str, str], branch: str | None
) -> Chosen:
    if asked is not None:
        chosen = _chosen(*asked)
        if chosen.version.release:
            raise ConfigError(
                f"{chosen.version} is a release ({chosen.origin}), not a development tag",
                hint="give another --tag NAME, or publish it with: orchestrator build",
            )
        return chosen
    text = environ.get("GITHUB_REF_NAME", "")
    if pull := _GITHUB_PULL.fullmatch(text):
        return _chosen(f"pr{pull[1]}", "$GITHUB_REF_NAME")
    if text and environ.get("GITHUB_REF_TYPE") == "branch":
        return _branch(text, "$GITHUB_REF_NAME")
    # GitLab gives the tag in $CI_COMMIT_REF_NAME, too, and Jenkins in $BRANCH_NAME.
    of_tag = {environ.get("CI_COMMIT_TAG"), environ.get("TAG_NAME")}
    named = {name: text for name, text in environ.items() if text not in of_tag}
    if found := _request_or_branch(named, branch):
        return found
    raise ConfigError(
        "no development tag: HEAD is on no branch, and the environment names none",
        hint="give one with --tag NAME, such as pr333 or my-branch",
    )


def _best(tags: Sequence[str]) -> str:
    """The highest release among the tags of one commit, else the first by name that is no channel."""
    releases = [tag for tag in tags if is_release(tag)]
    if releases:
        return max(releases, key=precedence)
    return min(tags, key=lambda tag: (tag in set(Channel), tag))


def _chosen(text: str, origin: str) -> Chosen:
    version = Version.parse(docker_tag(text))
    warning = None
    if not version.release and _ALMOST_RELEASE.fullmatch(text):
        warning = f"{text} is not of the form vX.Y.Z: it is published as a development tag"
    return Chosen(version=version, origin=origin, warning=warning)


def _branch(text: str, origin: str) -> Chosen:
    chosen = _chosen(text, origin)
    if chosen.version.release:
        raise ConfigError(
            f"the branch {text} is named like a release ({origin})",
            hint=f"to release it, tag the commit or give --tag {text}; else give --tag NAME",
        )
    return chosen
