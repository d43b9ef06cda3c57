"""`orchestrator rollback`: take a channel back to a lower version."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import options, promote

if TYPE_CHECKING:
    from orchestrator.channels.survey import Survey
    from orchestrator.model import Channel


@click.command(
    "rollback",
    epilog="""Examples:

\b
  orchestrator rollback stable
  orchestrator rollback stable --to v1.2.2
""",
)
@click.argument("channel", shell_complete=promote.complete_channels)
@click.option(
    "--to", "version", metavar="VERSION", help="The version; else the next lower published."
)
@promote.move_options
def command(
    channel: str,
    version: str | None,
    ignored: tuple[int, ...],
    dry_run: bool,
    directory: Path,
    output: str,
    log_format: str,
    **flags: Any,
) -> None:
    """Let CHANNEL name a lower version again, after the whole closure of that version was verified.

    Clusters that have installed the higher version keep it: a channel stops further ones only.
    """
    from orchestrator.channels.guards import Guard
    from orchestrator.channels.survey import survey

    (name,) = promote.parse_channels([channel])
    with options.opened_target(directory, flags) as target:
        held = survey(target.registry, target.repository)
        tag = version or _lower(name, held)
        _must_be_lower(name, tag, held)
        allowed = {Guard.DOWNGRADE}
        release = promote.permitted(target, held, tag, [name], allowed, in_order=False)
        promote.move(
            target, held, tag, release, [name], ignored, output, log_format, dry_run=dry_run
        )


def _lower(channel: "Channel", held: "Survey") -> str:
    from orchestrator.errors import OrchestratorError
    from orchestrator.model import is_release, precedence

    now = held.version(channel)
    if not is_release(now):
        raise OrchestratorError(
            f"{channel} holds {now or 'nothing'}, so there is no version below it",
            hint="say which with --to VERSION, or promote one",
        )
    below = [each for each in held.published if precedence(each) < precedence(now)]
    if not below:
        raise OrchestratorError(
            f"{channel} holds {now}, and no lower version is published",
            hint="publish a higher version that undoes the change",
        )
    return below[-1]


def _must_be_lower(channel: "Channel", version: str, held: "Survey") -> None:
    from orchestrator.errors import UsageError
    from orchestrator.model import is_release, precedence

    now = held.version(channel)
    if is_release(now) and is_release(version) and precedence(version) > precedence(now):
        raise UsageError(
            f"{channel} holds {now}, and {version} is higher",
            hint=f"orchestrator promote {version} {channel}",
        )
