"""Reading werf's build report: every field but the Docker ones may be missing.

Source of the fields: werf, package build, build report; all releases of werf 2.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from orchestrator.builders import BuildReport, BuiltImage
from orchestrator.errors import BuildFailed, ConfigError
from orchestrator.model import Digest, Reference, Repository, parse_tag

_STAGE_PLATFORM: Final = re.compile(r".* \(([a-z0-9]+/[a-z0-9/]+)\)")


def parse_report(data: bytes, *, builder: str) -> BuildReport:
    """Raises BuildFailed where the report, or an image in it, is of no use."""
    try:
        value = json.loads(data)
        records = value["Images"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise _useless(builder, "it is not the JSON that was expected") from error
    if not isinstance(records, dict):
        raise _useless(builder, "it holds no images")
    images = [_image(builder, name, record) for name, record in sorted(records.items())]
    return BuildReport(builder=builder, images=tuple(images))


def _image(builder: str, name: str, record: Any) -> BuiltImage:
    if not isinstance(record, dict):
        raise _useless(builder, f"image {name or '~'} is no record")
    repository, tag, digest = (
        record.get(key) or "" for key in ("DockerRepo", "DockerTag", "DockerImageDigest")
    )
    if not digest:
        raise _useless(
            builder,
            f"image {name or '~'} has no digest, so it is in no registry but in the builder's own "
            f"storage ({str(repository)[:200] or 'no repository'})",
            image=name,
        )
    try:
        reference = Reference(
            Repository.parse(str(repository)),
            tag=parse_tag(str(tag)),
            digest=Digest.parse(str(digest)),
        )
    except ConfigError as error:
        raise _useless(builder, f"image {name or '~'}: {error.message}", image=name) from error
    return BuiltImage(
        name=name,
        reference=reference,
        final=record.get("Final") is not False,
        rebuilt=record.get("Rebuilt") is True,
        seconds=_seconds(record.get("BuildTime")),
        platforms=_platforms(record),
    )


def _seconds(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return 0.0


def _platforms(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The platform, or those of an index: its record has none, but the names of its stages do."""
    if record.get("TargetPlatform"):
        return (str(record["TargetPlatform"]),)
    stages = record.get("Stages")
    names = [
        str(stage.get("Name"))
        for stage in (stages if isinstance(stages, list) else ())
        if isinstance(stage, dict)
    ]
    return tuple(sorted({found[1] for name in names if (found := _STAGE_PLATFORM.fullmatch(name))}))


def _useless(builder: str, why: str, *, image: str | None = None) -> BuildFailed:
    return BuildFailed(
        f"the build report of {builder} cannot be used: {why}",
        image=image,
        hint="nothing was published; see that a supported builder is on PATH: werf 2, or buildah",
    )
