"""`orchestrator version`: the version that a release channel holds."""

import sys
from typing import Any

import click

from orchestrator.cli import inspecting


@click.command(
    "version",
    epilog="""Examples:

\b
  orchestrator version registry.example.io/modules/echo stable
  orchestrator version -o table registry.example.io/modules/echo stable
""",
)
@click.argument("module", metavar="R/M")
@click.argument("channel", metavar="CHANNEL")
@inspecting.reading_options
@inspecting.form_option
def command(module: str, channel: str, no_cache: bool, output: str, **flags: Any) -> None:
    """Print which version a channel of the module R/M holds.

    As text this is version.json of R/M/release:CHANNEL as it stands there, {"version":"vX.Y.Z"}.
    """
    from orchestrator.inspection import listing, show
    from orchestrator.model import Repository

    place = Repository.parse(module) / "release"
    with inspecting.reading(flags, no_cache=no_cache) as reader:
        data, said = listing.release(reader, place, channel)
    if output == "text":
        ended = data.endswith(b"\n") or not sys.stdout.isatty()
        click.echo(data, nl=not ended)
        return
    inspecting.write_form(
        output,
        names=(),
        header=("CHANNEL", "VERSION", "DIGEST"),
        rows=[(said.tag, said.version, said.digest)],
        value={
            "reference": f"{place}:{said.tag}",
            "version": show.plain(said.version) or None,
            "digest": said.digest,
        },
    )
