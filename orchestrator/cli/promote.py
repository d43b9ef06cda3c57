"""`orchestrator promote`: let release channels name a published version."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import options

if TYPE_CHECKING:
    from orchestrator.channels.guards import Guard
    from orchestrator.channels.survey import Release, Survey
    from orchestrator.model import Channel
    from orchestrator.stages.target import Target

_ALLOW = (
    ("downgrade", "Move a channel to a lower version than it holds."),
    ("gap", "Leave out minor versions that clusters would have to walk over."),
    ("pre-release", "Take a version that is no vX.Y.Z."),
    ("skip", "Pass over --in-order for this once."),
)


def guard_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A flag for every guard that may be overridden, and what promote and rollback share."""
    for name, text in reversed(_ALLOW):
        command = click.option(f"--allow-{name}", is_flag=True, help=text)(command)
    return move_options(command)


def move_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for declare in (
        click.option(
            "--ignore-rule",
            "ignored",
            type=click.IntRange(1, 21),
            multiple=True,
            metavar="N",
            help="Accept that a rule of verify does not hold; those that keep the closure whole stay.",
        ),
        click.option("--dry-run", is_flag=True, help="Only say what would be moved."),
        options.target_options,
        options.output_option,
        options.log_option,
    ):
        command = declare(command)
    return command


def complete_channels(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Channel names for the shell."""
    from orchestrator.model import Channel

    return [str(channel) for channel in Channel if channel.startswith(incomplete)]


@click.command(
    "promote",
    epilog="""Examples:

\b
  orchestrator promote v1.2.3 alpha
  orchestrator promote v1.2.3 alpha beta early-access
  orchestrator promote --in-order v1.2.3 stable
  orchestrator promote registry.example.io/modules/echo:v1.2.3 alpha
""",
)
@click.argument("version", metavar="[R/M:]VERSION")
@click.argument(
    "channels", metavar="CHANNEL...", nargs=-1, required=True, shell_complete=complete_channels
)
@click.option(
    "--in-order",
    envvar="ORCHESTRATOR_IN_ORDER",
    is_flag=True,
    help="Refuse a channel whose predecessor does not hold the version.  [env: ORCHESTRATOR_IN_ORDER]",
)
@guard_options
def command(
    version: str,
    channels: tuple[str, ...],
    in_order: bool,
    ignored: tuple[int, ...],
    dry_run: bool,
    directory: Path,
    output: str,
    log_format: str,
    **flags: Any,
) -> None:
    """Copy the release image of VERSION, unchanged, to every CHANNEL, in the order in which a version
    reaches them, after its whole closure was verified.

    Nothing is moved where a guard refuses; each guard names the flag that overrides it. Channels:
    alpha, beta, early-access, stable, rock-solid, lts.
    """
    from orchestrator.channels.guards import Guard
    from orchestrator.channels.survey import survey

    wanted = parse_channels(channels)
    repository, tag = split(version)
    allowed = {guard for guard in Guard if guard and flags.pop(f"allow_{guard.replace('-', '_')}")}
    with options.opened_target(directory, flags, repository=repository) as target:
        held = survey(target.registry, target.repository)
        release = permitted(target, held, tag, wanted, allowed, in_order=in_order)
        move(target, held, tag, release, wanted, ignored, output, log_format, dry_run=dry_run)


def split(text: str) -> tuple[str | None, str]:
    """`R/M:VERSION` in two, or the version alone."""
    from orchestrator.model import Reference, parse_tag

    if "/" not in text:
        return None, parse_tag(text)
    reference = Reference.parse(text)
    if reference.tag is None:
        raise click.UsageError(f"{text!r} names no version, only a digest")
    return str(reference.repository), reference.tag


def parse_channels(names: Sequence[str]) -> "list[Channel]":
    """In their order, each once."""
    from orchestrator.model import Channel
    from orchestrator.schema import suggestion

    wrong = [name for name in names if name not in set(Channel)]
    if wrong:
        tips = "; ".join(f"{name!r} is no channel{suggestion(name, Channel)}" for name in wrong)
        raise click.UsageError(f"{tips} (channels: {', '.join(Channel)})")
    return [channel for channel in Channel if channel in names]


def permitted(
    target: "Target",
    held: "Survey",
    version: str,
    channels: "Sequence[Channel]",
    allowed: "set[Guard]",
    *,
    in_order: bool,
) -> "Release":
    """The release image of the version; raises with all that stands against moving the channels."""
    from orchestrator.channels.guards import refusals
    from orchestrator.channels.survey import read_release
    from orchestrator.errors import OrchestratorError

    reference = (target.repository / "release").tagged(version)
    there = version in held.releases
    release = read_release(target.registry, reference) if there else None
    found = refusals(version, channels, held, release, in_order=in_order, allowed=allowed)
    if found:
        raise OrchestratorError(
            "refused: no channel was moved",
            details="\n".join(map(str, found)),
            hint="see what the channels hold with: orchestrator channels",
        )
    assert release is not None  # noqa: S101  a version that is not there was refused
    return release


def move(
    target: "Target",
    held: "Survey",
    version: str,
    release: "Release",
    channels: "Sequence[Channel]",
    ignored: Sequence[int],
    output: str,
    log_format: str,
    *,
    dry_run: bool,
) -> None:
    """Carry it out, and print what each channel held and holds."""
    from orchestrator.channels import move as move_

    rows = [
        {
            "channel": str(channel),
            "was": held.version(channel) or None,
            "now": version,
            "digest": str(release.digest),
            "changed": channel not in held.channels
            or held.channels[channel].digest != release.digest,
        }
        for channel in channels
    ]
    if not dry_run:
        plan = move_.Move(
            registry=target.registry,
            repository=target.repository,
            name=target.name,
            version=version,
            before={channel: each.digest for channel, each in held.channels.items()},
            ignored_rules=frozenset(ignored),
        )
        with options.reporter(log_format) as tell:
            move_.move(plan, channels, target.work, tell)
    if output == "json":
        options.print_json({"schema": 1, "repository": target.name, "channels": rows})
        return
    for row in rows:
        was = f"was {row['was'] or 'empty'}" if row["changed"] else "unchanged"
        click.echo(f"{row['channel']:<12}  {row['now']}  {row['digest']}  {was}")
