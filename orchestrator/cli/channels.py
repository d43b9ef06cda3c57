"""`orchestrator channels`: what each release channel holds."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import options

if TYPE_CHECKING:
    from orchestrator.channels.matrix import Row
    from orchestrator.channels.survey import Survey

_SHOWN = 10


@click.command(
    "channels",
    epilog="""Examples:

\b
  orchestrator channels
  orchestrator channels registry.example.io/modules/echo
  orchestrator channels -o json
""",
)
@click.argument("repository", metavar="[R/M]", required=False)
@options.target_options
@options.output_option
def command(repository: str | None, directory: Path, output: str, **flags: Any) -> int:
    """Show the channels of a module: version, digest, age, and what is broken or odd.

    Exit code 1 where a channel is broken. A channel that is not there yet is no fault.
    """
    from orchestrator.channels import matrix
    from orchestrator.channels.survey import survey

    with options.opened_target(directory, flags, repository=repository) as target:
        found = survey(target.registry, target.repository)
    rows = matrix.rows(found)
    if output == "json":
        options.print_json(matrix.as_json(found, rows))
    else:
        click.echo(_text(found, rows))
    return 1 if any(row.breaks for row in rows) else 0


def _text(survey: "Survey", rows: "list[Row]") -> str:
    from orchestrator.channels.matrix import age

    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = float(epoch) if epoch.isdigit() else time.time()
    cells = [("CHANNEL", "VERSION", "DIGEST", "AGE", "")]
    for row in rows:
        release = row.release
        broken = [f"BROKEN: {text}" for text in row.breaks]
        cells.append(
            (
                str(row.channel),
                release.version or "?" if release else "-",
                release.digest[:19] if release else "",
                age(release.created, now) if release else "",
                "; ".join([*broken, *row.notes]),
            )
        )
    lines = options.columns(cells)
    newest = list(reversed(survey.published))
    more = f" and {len(newest) - _SHOWN} more" if len(newest) > _SHOWN else ""
    lines += ["", f"versions  {', '.join(newest[:_SHOWN]) or 'none'}{more}"]
    for version in survey.unpaired:
        lacks = "release" if version in survey.modules else "module image"
        lines.append(f"BROKEN    {version} has no {lacks}: orchestrator build --tag {version}")
    return "\n".join(lines)
