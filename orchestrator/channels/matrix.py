"""The channels of a module at a glance: what each holds, how old it is, and what is wrong."""

import datetime
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.channels.survey import Release, Survey
from orchestrator.model import Channel, is_release, precedence

_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One channel; `breaks` are what clusters meet, `notes` what is only odd."""

    channel: Channel
    release: Release | None
    breaks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def rows(survey: Survey) -> list[Row]:
    """A row for every channel, bold ones first."""
    return [_row(channel, survey) for channel in Channel]


def _row(channel: Channel, survey: Survey) -> Row:
    release = survey.channels.get(channel)
    if release is None:
        return Row(channel=channel, release=None, notes=tuple(_hole(channel, survey)))
    return Row(
        channel=channel,
        release=release,
        breaks=tuple(_breaks(release, survey)),
        notes=tuple(_notes(channel, survey)),
    )


def _hole(channel: Channel, survey: Survey) -> list[str]:
    """Empty, though a calmer channel holds something; lts stands apart."""
    later = [c for c in list(Channel)[list(Channel).index(channel) :] if c is not Channel.LTS]
    filled = [str(each) for each in later if each in survey.channels]
    return [f"empty, but {filled[0]} is not"] if filled and channel is not Channel.LTS else []


def _breaks(release: Release, survey: Survey) -> list[str]:
    if release.problem is not None:
        return [release.problem]
    version = release.version
    found = []
    if not is_release(version):
        found.append(f"{version} is no release vX.Y.Z")
    if version not in survey.releases:
        found.append(f"release:{version} is not there")
    elif survey.digests.get(version) != release.digest:
        found.append(f"release:{version} has another digest")
    if version not in survey.modules:
        found.append(f"the module image {version} is not there")
    return found


def _notes(channel: Channel, survey: Survey) -> list[str]:
    """A bolder channel should not be behind a calmer one."""
    mine = survey.version(channel)
    names = [each for each in Channel if each is not Channel.LTS]
    if channel not in names or not is_release(mine):
        return []
    return [
        f"behind {later}"
        for later in names[names.index(channel) + 1 :]
        if is_release(survey.version(later))
        and precedence(survey.version(later)) > precedence(mine)
    ][:1]


def age(created: str | None, now: float) -> str:
    """Like `3 d`, from an RFC 3339 time to `now` in seconds since 1970."""
    try:
        then = datetime.datetime.fromisoformat(created or "").timestamp()
    except ValueError:
        return ""
    seconds = max(0, int(now - then))
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def as_json(survey: Survey, found: list[Row]) -> dict[str, Any]:
    channels = [
        {
            "channel": str(row.channel),
            "version": row.release.version or None if row.release else None,
            "digest": row.release.digest if row.release else None,
            "created": row.release.created if row.release else None,
            "breaks": list(row.breaks),
            "notes": list(row.notes),
        }
        for row in found
    ]
    return {
        "schema": 1,
        "repository": str(survey.repository),
        "channels": channels,
        "versions": list(reversed(survey.published)),
        "unpaired": survey.unpaired,
    }
