"""Options that verbs share, made from the table of settings, and what they open."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.option import Kind, Option
from orchestrator.settings import OPTIONS

if TYPE_CHECKING:
    from orchestrator.log import Reporter
    from orchestrator.process import LocalRunner
    from orchestrator.stages.context import Context
    from orchestrator.stages.target import Target

STAGES = ("render", "build", "digests", "module", "release", "register", "verify")
_OF_REGISTRIES = (
    "insecure_registry",
    "ca_file",
    "docker_config",
    "concurrency",
    "retries",
    "timeout",
)

_TYPES = {Kind.WHOLE: click.INT, Kind.FLAG: click.BOOL}


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Every setting that has a flag, with its environment name in the help."""
    for option in reversed(OPTIONS):
        if option.flag is not None:
            command = _click_option(option)(command)
    return directory_option(command)


def registry_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The settings of a command that only talks to a registry."""
    return some_settings(*_OF_REGISTRIES)(command)


def some_settings(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The settings of these names, for a command that needs no others."""

    def declare(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(OPTIONS):
            if option.name in names:
                command = _click_option(option)(command)
        return command

    return declare


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Those that say which module in which source, and how to reach it."""
    return directory_option(some_settings("source", "name", *_OF_REGISTRIES)(command))


def directory_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "-C",
        "directory",
        envvar="ORCHESTRATOR_DIRECTORY",
        type=click.Path(path_type=Path),
        default=Path(),
        metavar="DIR",
        help="Directory of the module.  [env: ORCHESTRATOR_DIRECTORY]",
    )(command)


def _click_option(option: Option) -> Callable[..., Any]:
    more: dict[str, Any] = {}
    if option.kind is Kind.LIST:
        more["multiple"] = True
    elif option.choices:
        more["metavar"] = "|".join(option.choices)
    elif "/" not in (option.flag or ""):
        more["metavar"] = {"source": "R", "name": "M", "tag": "VERSION"}.get(
            option.name, "N" if option.kind is Kind.WHOLE else "TEXT"
        )
    default = "" if option.default in (None, (), False) else f"; default: {option.default}"
    return click.option(
        option.flag or "",
        option.name,
        default=None,
        help=f"{option.help}  [env: {option.env}{default}]",
        **more,
    )


def output_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "-o",
        "--output",
        "output",
        envvar="ORCHESTRATOR_OUTPUT",
        type=click.Choice(["text", "json"]),
        default="text",
        help="Form of the result on stdout.  [env: ORCHESTRATOR_OUTPUT; default: text]",
    )(command)


def log_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--log-format",
        envvar="ORCHESTRATOR_LOG_FORMAT",
        type=click.Choice(["auto", "text", "json"]),
        default="auto",
        help="Form of the messages on stderr.  [env: ORCHESTRATOR_LOG_FORMAT; default: auto]",
    )(command)


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--from, --until and --force."""
    stage = click.Choice(STAGES)
    for declare in (
        click.option(
            "--force",
            "forced",
            envvar="ORCHESTRATOR_FORCE",
            is_flag=False,
            flag_value="all",
            multiple=True,
            type=click.Choice([*STAGES, "all"]),
            metavar="[STAGE]",
            help="Run a stage, or all, though nothing changed; module, release or all also replace "
            "a published version.  [env: ORCHESTRATOR_FORCE]",
        ),
        click.option(
            "--until",
            "last",
            envvar="ORCHESTRATOR_UNTIL",
            type=stage,
            metavar="STAGE",
            help="Stop after this stage.  [env: ORCHESTRATOR_UNTIL]",
        ),
        click.option(
            "--from",
            "first",
            envvar="ORCHESTRATOR_FROM",
            type=stage,
            metavar="STAGE",
            help="Run this stage and those after it, with the remembered results of those before.  "
            "[env: ORCHESTRATOR_FROM]",
        ),
    ):
        command = declare(command)
    return command


def forced_stages(forced: tuple[str, ...]) -> frozenset[str]:
    return frozenset(STAGES) if "all" in forced else frozenset(forced)


@contextmanager
def opened(
    directory: Path,
    flags: Mapping[str, Any],
    *,
    forced: frozenset[str] = frozenset(),
    arguments: tuple[str, ...] = (),
    publishes: bool = False,
    development: bool = False,
    as_it_is: bool = False,
) -> Iterator["Context"]:
    """A context for the module in `directory`, with signals passed on to what it runs."""
    from orchestrator.stages.context import Request, open_context

    environ = dict(os.environ)
    request = Request(
        directory=directory,
        flags=flags,
        environ=environ,
        forced=forced,
        arguments=arguments,
        publishes=publishes,
        development=development,
        as_it_is=as_it_is,
    )
    with open_context(request, local_runner(environ)) as context:
        yield context


def local_runner(environ: Mapping[str, str]) -> "LocalRunner":
    """What runs tools here; signals are passed on to them."""
    from orchestrator.process import LocalRunner

    runner = LocalRunner(environ)
    click.get_current_context().obj.runners.append(runner)
    return runner


@contextmanager
def opened_target(
    directory: Path, flags: Mapping[str, Any], *, repository: str | None = None
) -> Iterator["Target"]:
    """R/M, written out as `repository` or told by settings and module.yaml, and a client for it."""
    from orchestrator.stages.target import open_target

    environ = dict(os.environ)
    runner = local_runner(environ)
    with open_target(directory, flags, environ, runner, repository=repository) as target:
        yield target


def reporter(log_format: str) -> "Reporter":
    from orchestrator.log import make_reporter

    return make_reporter(log_format, os.environ)


def print_json(value: Mapping[str, Any]) -> None:
    from orchestrator.fsio import pretty_json

    click.echo(pretty_json(value), nl=False)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line a row, its cells left-aligned, two blanks apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
