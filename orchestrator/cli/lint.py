"""`orchestrator lint`: rules about a module's files, without a network."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import options

if TYPE_CHECKING:
    from orchestrator.errors import Finding
    from orchestrator.yamldoc import Document


@click.command(
    "lint",
    epilog="""Examples:

\b
  orchestrator lint
  orchestrator lint -C modules/echo --rule unused-image=off --rule M206=warning
  orchestrator lint -o github     # annotations in a GitHub workflow
  orchestrator lint -o junit > lint.xml
""",
)
@options.directory_option
@click.option(
    "--rule",
    "chosen",
    envvar="ORCHESTRATOR_LINT_RULES",
    multiple=True,
    metavar="RULE=LEVEL",
    help="Level of a rule, by its id or name: off, warning or error; may be given many times.  "
    "[env: ORCHESTRATOR_LINT_RULES]",
)
@click.option(
    "-o",
    "--output",
    envvar="ORCHESTRATOR_OUTPUT",
    type=click.Choice(["text", "json", "junit", "github"]),
    default="text",
    help="Form of the result on stdout.  [env: ORCHESTRATOR_OUTPUT; default: text]",
)
def command(directory: Path, chosen: tuple[str, ...], output: str) -> int:
    """Check the files of a module against every rule; exit code 1 where there is an error.

    Files count as they are now, committed or not. Warnings do not change the exit code.
    """
    from orchestrator import settings
    from orchestrator.deps.config import read as read_deps
    from orchestrator.lint import report
    from orchestrator.lint.read import read
    from orchestrator.lint.rule import LEVEL_SCHEMA, levels, run
    from orchestrator.lint.rules import RULES
    from orchestrator.process import LocalRunner
    from orchestrator.schema import MapOf

    environ = dict(os.environ)
    file = settings.read_file(directory)
    section = settings.section(file, "lint", MapOf(LEVEL_SCHEMA))
    wanted = levels(RULES, _of_file(section), _of_flags(chosen))
    found = settings.resolve({}, environ, file)
    takes = read_deps(file).base_images is not None
    runner = LocalRunner(environ)
    sources = read(runner, directory, found, takes_base_images=takes)
    defects = run(RULES, sources, wanted)
    rules = [rule for rule in RULES if wanted[rule.id] is not None]
    if output == "json":
        options.print_json(report.as_json(defects))
    elif output == "junit":
        click.echo(report.as_junit(defects, rules, f"lint {sources.module_name}"), nl=False)
    elif output == "github":
        click.echo(report.as_github(defects, sources.prefix), nl=False)
    else:
        click.echo(report.as_text(defects, len(rules)), nl=False)
    return 1 if report.errors(defects) else 0


def _of_file(section: "Document") -> list[tuple[str, str, "Finding"]]:
    from orchestrator import settings
    from orchestrator.errors import Finding

    value: dict[str, Any] = section.value or {}
    return [
        (key, level, Finding(settings.FILE, section.lines.get((key,), 0), ""))
        for key, level in value.items()
    ]


def _of_flags(chosen: tuple[str, ...]) -> list[tuple[str, str, "Finding"]]:
    from orchestrator.errors import Finding, UsageError

    made = []
    for text in chosen:
        key, equals, level = text.partition("=")
        if not equals:
            raise UsageError(f"--rule {text}: RULE=LEVEL is expected", hint="such as M105=off")
        made.append((key, level, Finding("--rule", 0, "")))
    return made
