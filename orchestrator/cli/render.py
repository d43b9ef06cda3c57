"""`orchestrator render`: the werf config, written or checked."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping

WORK: Final = ".orchestrator"
_WRITE: Final = "run: orchestrator render --giterminism, and commit the file"


@click.command(
    "render",
    epilog="""Examples:

\b
  orchestrator render
  orchestrator render --check
  orchestrator render --giterminism
""",
)
@options.settings_options
@click.option(
    "--check",
    envvar="ORCHESTRATOR_CHECK",
    is_flag=True,
    help="Write nothing; fail with the difference where a file is stale.  "
    "[env: ORCHESTRATOR_CHECK]",
)
@click.option(
    "--giterminism",
    "write_giterminism",
    is_flag=True,
    help="Write werf-giterminism.yaml too, with all that the build uses; commit it then.",
)
def command(directory: Path, check: bool, write_giterminism: bool, **flags: Any) -> int:
    """Write .orchestrator/werf.yaml from module.yaml and images/, and print its path.

    --check also compares werf-giterminism.yaml with what the image fragments use: a file written
    here must be the same, one written by hand must allow as much.
    """
    from orchestrator import giterminism
    from orchestrator.errors import ConfigError
    from orchestrator.fsio import atomic_write
    from orchestrator.stages import render

    with options.opened(directory, flags, as_it_is=True) as ctx:
        if ctx.own_config is not None:
            raise ConfigError(
                f"there is nothing to render: {ctx.own_config} is run as it is",
                hint="--mode generate renders what would take its place",
            )
        config = render.config(ctx)
        path = ctx.directory / render.CONFIG
        committed = ctx.directory / giterminism.FILE
        if check:
            stale = _stale(path, config.text, "run: orchestrator render")
            wanted = _wanted(committed, config.giterminism)
            return _report([*stale, *_stale(committed, wanted, _WRITE)])
        atomic_write(path, config.text.encode())
        if write_giterminism:
            atomic_write(committed, giterminism.text(config.giterminism).encode())
    click.echo(str(path))
    if write_giterminism:
        click.echo(str(committed))
    return 0


def _wanted(committed: Path, config: "Mapping[str, Any]") -> str:
    """What the file should hold: a file of the user's that allows enough is as it should be."""
    from orchestrator import giterminism

    there = committed.read_bytes() if committed.is_file() else b""
    own = there and not there.startswith(giterminism.HEADER.encode())
    if own and not giterminism.lacking(there, config):
        return there.decode("utf-8", errors="replace")
    return giterminism.text(config)


def _stale(path: Path, text: str, fix: str) -> "list[tuple[str, str, str]]":
    """(what is wrong, the difference, what to do) where a file does not hold the text."""
    import difflib

    there = path.read_text("utf-8", errors="replace") if path.exists() else ""
    if there == text:
        return []
    name = f"{path.parent.name}/{path.name}" if path.parent.name == WORK else path.name
    difference = difflib.unified_diff(
        there.splitlines(keepends=True),
        text.splitlines(keepends=True),
        fromfile=name,
        tofile="rendered now",
    )
    what = "is stale" if path.exists() else "is not there"
    return [(f"{name} {what}", "".join(difference), fix)]


def _report(stale: "list[tuple[str, str, str]]") -> int:
    from orchestrator.errors import OrchestratorError

    if not stale:
        click.echo("up to date", err=True)
        return 0
    click.echo("".join(difference for _, difference, _ in stale), nl=False)
    raise OrchestratorError(
        " and ".join(what for what, _, _ in stale),
        hint="; ".join(dict.fromkeys(fix for _, _, fix in stale)),
    )
