"""`orchestrator init`: what a module repository needs to be published from."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from orchestrator.scaffold.plan import Plan


@click.command(
    "init",
    epilog="""Examples:

\b
  orchestrator init
  orchestrator init my-module --ci gitlab
  orchestrator init --dry-run --migrate
""",
)
@click.argument("directory", metavar="[DIR]", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--name",
    envvar="MODULES_MODULE_NAME",
    metavar="M",
    help="Module name; else from module.yaml, or the directory's name.  [env: MODULES_MODULE_NAME]",
)
@click.option(
    "--ci",
    envvar="ORCHESTRATOR_CI",
    type=click.Choice(["gitlab", "github", "jenkins"]),
    help="Write a pipeline for this CI engine, too.  [env: ORCHESTRATOR_CI]",
)
@click.option(
    "--migrate",
    envvar="ORCHESTRATOR_MIGRATE",
    is_flag=True,
    help="Move a hand-written werf config aside, once werf has shown that the generated one publishes "
    "the same.  [env: ORCHESTRATOR_MIGRATE]",
)
@click.option(
    "--dry-run",
    envvar="ORCHESTRATOR_DRY_RUN",
    is_flag=True,
    help="Say what would be done; write nothing.  [env: ORCHESTRATOR_DRY_RUN]",
)
def command(
    directory: Path, name: str | None, ci: str | None, migrate: bool, dry_run: bool
) -> None:
    """Write what is missing to publish a module: settings, ignore lines, a pipeline, and in an empty
    repository a module. Files that are there stay as they are.
    """
    from orchestrator.errors import UsageError
    from orchestrator.scaffold.plan import plan

    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is no directory", hint="name the module's directory")
    place = directory.resolve()
    there = _read(place)
    # Refuses a wrong name before anything is moved.
    first = plan(there, directory=place.name, name=name or None, ci=ci)
    if migrate:
        gone = _migrate(place, there, name or None, dry_run=dry_run)
        there = {path: data for path, data in there.items() if path not in gone}
        first = plan(there, directory=place.name, name=name or None, ci=ci)
    _carry_out(place, first, dry_run=dry_run)


def _read(place: Path) -> dict[str, bytes | None]:
    """The files that matter; None for a directory, a symlink, or what may not be read."""
    from orchestrator.scaffold.plan import FILES

    found: dict[str, bytes | None] = {}
    for name in FILES:
        path = place / name
        if os.path.lexists(path):
            plain = path.is_file() and not path.is_symlink()
            found[name] = path.read_bytes() if plain else None
    return found


def _migrate(
    place: Path, there: dict[str, bytes | None], name: str | None, *, dry_run: bool
) -> list[str]:
    from orchestrator.adoption import OWN_CONFIGS
    from orchestrator.errors import ConfigError, Finding
    from orchestrator.process import LocalRunner
    from orchestrator.scaffold import migrate
    from orchestrator.settings import FILE, resolve

    names = migrate.leftovers(place)
    if not names:
        click.echo("there is no hand-written werf config to leave behind", err=True)
        return []
    if names[0] in OWN_CONFIGS:
        environ = dict(os.environ)
        settings = resolve({"name": name} if name else {}, environ, there.get(FILE))
        unlike = migrate.prove(LocalRunner(environ), place, settings, environ)
        if unlike:
            raise ConfigError(
                "the generated config would not publish the same, so nothing was moved",
                [Finding(names[0], 0, each) for each in unlike],
                hint="keep it: a config of the module's own is run as it is; or change what differs",
            )
        click.echo("proven: the generated config publishes the same", err=True)
    if not dry_run:
        migrate.move_aside(place)
    word = "would move" if dry_run else "moved"
    for each in names:
        click.echo(f"{word} {each} to {migrate.ASIDE}/{each}")
    return names


def _carry_out(place: Path, chosen: "Plan", *, dry_run: bool) -> None:
    from orchestrator.fsio import atomic_write
    from orchestrator.scaffold.plan import Action
    from orchestrator.stages.context import make_work_directory

    done = {Action.WRITE: "wrote", Action.EXTEND: "extended", Action.KEEP: "kept"}
    changes = [change for change in chosen.changes if change.action is not Action.KEEP]
    for change in chosen.changes:
        if dry_run and change in changes:
            click.echo(f"would {change.action} {change.path}")
            continue
        if change in changes:
            atomic_write(place / change.path, change.data)
        click.echo(f"{done[change.action]} {change.path}")
    if not dry_run:
        make_work_directory(place)
    for line in chosen.advice:
        click.echo(f"-> {line}", err=True)
    if not changes:
        click.echo("nothing to do", err=True)
    elif not dry_run:
        click.echo("-> next: git add -A, git commit, orchestrator build", err=True)
