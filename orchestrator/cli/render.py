"""`orchestrator render`: the werf config, written or checked."""

from pathlib import Path
from typing import Any

import click

from orchestrator.cli import options


@click.command(
    "render",
    epilog="""Examples:

\b
  orchestrator render
  orchestrator render --check
""",
)
@options.settings_options
@click.option(
    "--check",
    envvar="ORCHESTRATOR_CHECK",
    is_flag=True,
    help="Write nothing; fail with the difference where the file is stale.  "
    "[env: ORCHESTRATOR_CHECK]",
)
def command(directory: Path, check: bool, **flags: Any) -> int:
    """Write .orchestrator/werf.yaml from module.yaml and images/, and print its path."""
    from orchestrator.errors import ConfigError
    from orchestrator.fsio import atomic_write
    from orchestrator.stages import render

    with options.opened(directory, flags) as ctx:
        if ctx.own_config is not None:
            raise ConfigError(
                f"there is nothing to render: {ctx.own_config} is run as it is",
                hint="--mode generate renders what would take its place",
            )
        text = render.text(ctx)
        path = ctx.directory / render.CONFIG
        if check:
            return _check(path, text)
        atomic_write(path, text.encode())
    click.echo(str(path))
    return 0


def _check(path: Path, text: str) -> int:
    import difflib

    from orchestrator.errors import OrchestratorError

    there = path.read_text("utf-8", errors="replace") if path.exists() else ""
    if there == text:
        click.echo("up to date", err=True)
        return 0
    difference = difflib.unified_diff(
        there.splitlines(keepends=True),
        text.splitlines(keepends=True),
        fromfile=render_name(path),
        tofile="rendered now",
    )
    click.echo("".join(difference), nl=False)
    what = "is stale" if path.exists() else "is not there"
    raise OrchestratorError(f"{render_name(path)} {what}", hint="run: orchestrator render")


def render_name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
