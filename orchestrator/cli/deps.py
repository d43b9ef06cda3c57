"""`orchestrator deps`: base images and lib-helm, pinned."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import options

if TYPE_CHECKING:
    from orchestrator.deps.config import Deps
    from orchestrator.registry.client import Registry


@click.group(
    "deps",
    epilog="""Examples:

\b
  orchestrator deps update
  orchestrator deps check
  orchestrator deps check --offline
""",
)
def command() -> None:
    """Pin what the module takes from elsewhere: the map of base images and lib-helm."""


@command.command(
    "update",
    epilog="""Examples:

\b
  orchestrator deps update && git diff
""",
)
@options.directory_option
@options.registry_options
def update(directory: Path, **flags: Any) -> int:
    """Bring base images and lib-helm to what their sources say, and write orchestrator.lock.

    The sources stand in orchestrator.yaml, below deps:. Paths of changed files go to stdout.
    """
    from orchestrator.deps import pins

    deps = _deps(directory)
    made = pins.resolve(_registry(directory, flags), directory, deps)
    for path in pins.write(directory, made):
        click.echo(path)
    return 0


@command.command(
    "check",
    epilog="""Examples:

\b
  orchestrator deps check             # against the sources
  orchestrator deps check --offline   # against orchestrator.lock
""",
)
@options.directory_option
@click.option(
    "--offline",
    envvar="ORCHESTRATOR_OFFLINE",
    is_flag=True,
    help="Compare with orchestrator.lock only; read no source.  [env: ORCHESTRATOR_OFFLINE]",
)
@options.registry_options
def check(directory: Path, offline: bool, **flags: Any) -> int:
    """Exit code 1 where base images, lib-helm or the lock are not what their sources say."""
    from orchestrator.deps import pins

    deps = _deps(directory)
    findings = pins.unlocked(directory, deps)
    if not offline and not findings:
        findings = pins.stale(directory, pins.resolve(_registry(directory, flags), directory, deps))
    for finding in findings:
        click.echo(str(finding))
    if findings:
        click.echo(f"-> {pins.UPDATE}", err=True)
    return 1 if findings else 0


def _deps(directory: Path) -> "Deps":
    from orchestrator import settings
    from orchestrator.deps.config import read
    from orchestrator.errors import ConfigError

    if not directory.is_dir():
        raise ConfigError(f"{directory} is not a directory", hint="see -C")
    deps = read(settings.read_file(directory))
    if deps.base_images is None and deps.lib_helm is None:
        raise ConfigError(
            f"{settings.FILE} has no deps:",
            hint="write deps: with base_images: or lib_helm:, and from: below each; "
            "see docs/deps.md",
        )
    return deps


def _registry(directory: Path, flags: dict[str, Any]) -> "Registry":
    from orchestrator import settings
    from orchestrator.connection import connect
    from orchestrator.process import LocalRunner

    environ = dict(os.environ)
    resolved = settings.resolve(flags, environ, settings.read_file(directory))
    return connect(resolved, environ, LocalRunner(environ))
