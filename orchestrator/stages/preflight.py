"""What can be known before a build: access to every repository, room on the disk. All findings at once."""

import shutil
from typing import Final

from orchestrator.errors import ConfigError, Finding, RegistryError
from orchestrator.model import Repository
from orchestrator.stages.context import Context

_LEAST_FREE_BYTES: Final = 64 * 1024 * 1024


def check(ctx: Context) -> None:
    """Raises one error for all that would make the end of a build fail; transient ones as they are."""
    places = dict.fromkeys((ctx.stages_repository, ctx.repository, ctx.releases, ctx.source))
    refused = [each for each in ctx.registry.map(lambda place: _access(ctx, place), places) if each]
    findings = [finding for finding, _ in refused]
    free = shutil.disk_usage(ctx.work).free
    if free < _LEAST_FREE_BYTES:
        findings.append(
            Finding(str(ctx.work), 0, f"only {free // 1024 // 1024} MiB are free on this disk")
        )
    if refused:
        _, first = refused[0]
        raise RegistryError(
            "the registry does not let us publish",
            status=first.status,
            code=first.code,
            hint=first.hint,
            details="\n".join(map(str, findings)),
        )
    if findings:
        raise ConfigError("the build would not end well", findings, hint="free some disk space")


def _access(ctx: Context, place: Repository) -> tuple[Finding, RegistryError] | None:
    try:
        ctx.registry.check_push(place)
    except RegistryError as error:
        if error.exit_code != 1:
            raise
        nested = "; nested repositories may not be supported" if error.status in {400, 404} else ""
        return Finding(str(place), 0, f"cannot be written: {error.message}{nested}"), error
    return None
