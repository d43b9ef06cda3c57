"""`orchestrator registry serve`: keep the local registry up, to read it with other tools."""

import os
from pathlib import Path

import click

from orchestrator.cli import options


@click.group("registry")
def command() -> None:
    """The local registry that a build without --source publishes to."""


@command.command(
    "serve",
    epilog="""Examples:

\b
  orchestrator registry serve
  crane ls 127.0.0.1:PORT/modules     # as it prints it, elsewhere
""",
)
@options.directory_option
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    envvar="ORCHESTRATOR_REGISTRY_PORT",
    help="Loopback port; a free one otherwise.  [env: ORCHESTRATOR_REGISTRY_PORT]",
)
def serve(directory: Path, port: int | None) -> None:
    """Serve .orchestrator/registry on loopback until stopped, and print its address."""
    import signal

    from orchestrator.process import LocalRunner
    from orchestrator.registry import embedded
    from orchestrator.stages.context import LOCAL_SOURCE_PATH, WORK, make_work_directory

    runner = LocalRunner(os.environ)
    click.get_current_context().obj.runners.append(runner)
    directory = directory.resolve()
    make_work_directory(directory)
    with embedded.serve(runner, directory / WORK / "registry", port=port) as address:
        click.echo(f"{address}/{LOCAL_SOURCE_PATH}")
        click.echo("serving; stop with Ctrl-C", err=True)
        signal.pause()
