"""What the verbs that only read share: options, a reader of registries, output as bytes."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import options

if TYPE_CHECKING:
    from orchestrator.inspection.reader import Reader

SCHEMA = 1


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--no-cache and the settings of a command that only talks to registries."""
    no_cache = click.option(
        "--no-cache",
        envvar="ORCHESTRATOR_NO_CACHE",
        is_flag=True,
        help="Neither read nor write $XDG_CACHE_HOME/orchestrator.  [env: ORCHESTRATOR_NO_CACHE]",
    )
    return no_cache(options.registry_options(command))


def form_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "-o",
        "--output",
        envvar="ORCHESTRATOR_OUTPUT",
        type=click.Choice(["text", "table", "json"]),
        default="text",
        help="Form of the result on stdout.  [env: ORCHESTRATOR_OUTPUT; default: text]",
    )(command)


@contextmanager
def reading(flags: Mapping[str, Any], *, no_cache: bool) -> Iterator["Reader"]:
    """A reader by these flags and the environment."""
    from orchestrator.connection import connect
    from orchestrator.inspection.cache import Cache, default_directory
    from orchestrator.inspection.reader import Reader
    from orchestrator.process import LocalRunner
    from orchestrator.settings import resolve

    environ = dict(os.environ)
    settings = resolve(flags, environ, None)
    registry = connect(settings, environ, LocalRunner(environ))
    with Cache(None if no_cache else default_directory(environ)) as cache:
        yield Reader(registry, cache)


def warn(problems: Iterable[tuple[str, str]]) -> None:
    """On stderr, a line for each tag that could not be read."""
    from orchestrator.redact import mask, tame

    for tag, problem in problems:
        if problem:
            click.echo(tame(mask(f"warning: {tag}: {problem}")), err=True)


def write(text: str) -> None:
    """UTF-8 whatever the locale says: the tree's symbols have no other form."""
    click.echo(text.encode(), nl=False)


def write_form(
    output: str,
    *,
    names: Sequence[str],
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    value: Mapping[str, Any],
) -> None:
    """One of the three forms."""
    from orchestrator.inspection import show

    if output == "json":
        options.print_json({"schema": SCHEMA, **value})
    elif output == "table":
        write(show.table(header, rows))
    else:
        write(show.lines(names))
