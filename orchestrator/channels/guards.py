"""Whether a version may reach a channel: pure, each ground with its way around it.

Source of the walk from one version to another: the module release fetcher of the Deckhouse controller.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from orchestrator.channels.survey import Release, Survey
from orchestrator.model import Channel, is_release, precedence
from orchestrator.schema import suggestion

Parts = tuple[int, int, int]

_PARTIAL: Final = re.compile(r"v?(0|[1-9]\d*)(?:\.(0|[1-9]\d*))?(?:\.(0|[1-9]\d*))?", re.ASCII)


class Guard(StrEnum):
    """Grounds to refuse; the value is the flag that overrides one, after `--allow-`."""

    NOT_PUBLISHED = ""
    PRE_RELEASE = "pre-release"
    DOWNGRADE = "downgrade"
    GAP = "gap"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A channel that may not have the version, why, and what to do."""

    channel: Channel | None
    guard: Guard
    reason: str
    fix: str

    def __str__(self) -> str:
        where = f"{self.channel}: " if self.channel else ""
        way = f", or give --allow-{self.guard}" if self.guard else ""
        return f"{where}{self.reason}; {self.fix}{way}"


def refusals(
    version: str,
    channels: Sequence[Channel],
    survey: Survey,
    release: Release | None,
    *,
    in_order: bool,
    allowed: Collection[Guard] = frozenset(),
) -> list[Refusal]:
    """Everything that stands against moving `channels` to `version`, whose release image is `release`."""
    found = list(_of_version(version, survey, release))
    if release is not None:
        for channel in channels:
            found += _of_channel(version, channel, survey, release)
            if in_order:
                found += _order(version, channel, channels, survey)
    return [each for each in found if each.guard not in allowed or not each.guard]


def _of_version(version: str, survey: Survey, release: Release | None) -> Iterable[Refusal]:
    known = sorted(survey.modules & survey.releases)
    lacking = [
        f"{repository}:{version}"
        for repository, tags in (
            (survey.repository, survey.modules),
            (survey.repository / "release", survey.releases),
        )
        if version not in tags
    ]
    if lacking or release is None:
        yield Refusal(
            channel=None,
            guard=Guard.NOT_PUBLISHED,
            reason=f"{' and '.join(lacking) or version} not there{suggestion(version, known)}",
            fix=f"publish it first: orchestrator build --tag {version}",
        )
    elif release.problem is not None:
        yield Refusal(
            channel=None,
            guard=Guard.NOT_PUBLISHED,
            reason=release.problem,
            fix="publish a new version",
        )
    elif not is_release(version):
        yield Refusal(
            channel=None,
            guard=Guard.PRE_RELEASE,
            reason=f"{version} is no release vX.Y.Z, and clusters refuse others in a channel",
            fix="use a ModulePullOverride for it, or publish a release",
        )


def _of_channel(
    version: str, channel: Channel, survey: Survey, release: Release
) -> Iterable[Refusal]:
    held = survey.version(channel)
    if not is_release(held) or not is_release(version):
        return
    if precedence(version) < precedence(held):
        yield Refusal(
            channel=channel,
            guard=Guard.DOWNGRADE,
            reason=f"it holds {held}, and {version} is lower: clusters that have {held} keep it",
            fix=f"publish what is in {version} as a higher version",
        )
    elif channel is not Channel.LTS:
        yield from _gap(channel, held, version, survey, release)


def _gap(
    channel: Channel, held: str, version: str, survey: Survey, release: Release
) -> Iterable[Refusal]:
    """A cluster goes from minor to minor, over the highest patch of each that `R/M` has."""
    now = parts(held)
    for step in walk(held, version, survey.modules):
        if step != version and step not in survey.releases:
            yield Refusal(
                channel=channel,
                guard=Guard.GAP,
                reason=f"on the way from {held} clusters need {step}, whose release is not there",
                fix=f"finish it: orchestrator build --tag {step}",
            )
        then = parts(step)
        if not in_sequence(now, then) and not bridged(now, release.bridges):
            yield Refusal(
                channel=channel,
                guard=Guard.GAP,
                reason=f"no version lies between {_name(now)} and {step} for the minors left out",
                fix="publish them, or let update.versions of module.yaml bridge them",
            )
        now = then


def _order(
    version: str, channel: Channel, moved: Sequence[Channel], survey: Survey
) -> Iterable[Refusal]:
    """A version reaches a channel after the one before it; lts stands apart."""
    names = list(Channel)
    before = names[names.index(channel) - 1] if names.index(channel) else None
    if before is None or channel is Channel.LTS or before in moved:
        return
    if survey.version(before) != version:
        yield Refusal(
            channel=channel,
            guard=Guard.SKIP,
            reason=f"{before} holds {survey.version(before) or 'nothing'}, not {version}",
            fix=f"promote {version} to {before} first",
        )


def walk(held: str, version: str, tags: Collection[str]) -> list[str]:
    """The versions that a cluster installs on its way up: the highest patch of each minor."""
    now, then = parts(held)[:2], parts(version)[:2]
    best: dict[tuple[int, int], str] = {}
    for tag in sorted(filter(is_release, tags), key=precedence):
        if now < (minor := parts(tag)[:2]) < then:
            best[minor] = tag
    return [*best.values(), version]


def parts(release: str) -> Parts:
    """`v1.2.3` as (1, 2, 3)."""
    major, minor, patch = precedence(release).to_tuple()[:3]
    return major, minor, patch


def in_sequence(now: Parts, then: Parts) -> bool:
    """Whether DKP goes from one version to the other in one step."""
    return now[0] + 1 >= then[0] and now[1] + 1 >= then[1]


def bridged(now: Parts, bridges: Iterable[tuple[str, str]]) -> bool:
    """Whether a pair (from, to) of update.versions begins at or before this version."""
    return any(
        (start := _loose(first)) is not None
        and (end := _loose(last)) is not None
        and start <= now < end
        for first, last in bridges
    )


def _loose(text: str) -> Parts | None:
    """`1.2` as (1, 2, 0)."""
    found = _PARTIAL.fullmatch(text)
    if found is None:
        return None
    major, minor, patch = (int(part or 0) for part in found.groups())
    return major, minor, patch


def _name(version: Parts) -> str:
    return "v{}.{}.{}".format(*version)
