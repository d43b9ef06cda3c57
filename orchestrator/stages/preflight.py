"""What can be known before a build: access to every repository, room on the disk. All findings at once."""

import shutil
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from orchestrator.errors import ConfigError, Finding, RegistryError
from orchestrator.model import Repository
from orchestrator.stages.gather import Gather

if TYPE_CHECKING:
    from orchestrator.registry.client import Registry
    from orchestrator.stages.context import Context

_LEAST_FREE_BYTES: Final = 64 * 1024 * 1024


def check(ctx: "Context", problems: Gather) -> None:
    """Raises one error for all that would make the end of a build fail, `problems` among it.

    A registry that only cannot be reached now raises that error, where there is nothing else.
    """
    places = dict.fromkeys((ctx.stages_repository, ctx.repository, ctx.releases, ctx.source))
    registry = ctx.registry
    errors = [(place, e) for place, e in _access(registry, places) if e is not None]
    if not problems:
        for _, error in errors:
            if error.exit_code != 1:
                raise error
    findings = [_finding(place, error) for place, error in errors]
    free = shutil.disk_usage(ctx.work).free
    if free < _LEAST_FREE_BYTES:
        findings.append(
            Finding(str(ctx.work), 0, f"only {free // 1024 // 1024} MiB are free on this disk")
        )
    if errors and not problems:
        _, first = errors[0]
        raise RegistryError(
            "the registry does not let us publish",
            status=first.status,
            code=first.code,
            hint=first.hint,
            details="\n".join(map(str, findings)),
        )
    if findings:
        hint = errors[0][1].hint if errors else "free some disk space"
        problems.add(ConfigError("the build would not end well", findings, hint=hint))
    problems.done()


def refused(registry: "Registry", places: Iterable[Repository]) -> list[Finding]:
    """The repositories that cannot be written, or asked."""
    return [_finding(place, error) for place, error in _access(registry, places) if error]


def _access(
    registry: "Registry", places: Iterable[Repository]
) -> list[tuple[Repository, RegistryError | None]]:
    def ask(place: Repository) -> tuple[Repository, RegistryError | None]:
        try:
            registry.check_push(place)
        except RegistryError as error:
            return place, error
        return place, None

    return registry.map(ask, places)


def _finding(place: Repository, error: RegistryError) -> Finding:
    if error.exit_code != 1:
        return Finding(str(place), 0, f"cannot be asked: {error.message}")
    nested = "; nested repositories may not be supported" if error.status in {400, 404} else ""
    return Finding(str(place), 0, f"cannot be written: {error.message}{nested}")
