"""`orchestrator tree`: a module source as a tree."""

from typing import Any

import click

from orchestrator.cli import inspecting


@click.command(
    "tree",
    epilog="""Examples:

\b
  orchestrator tree registry.example.io/modules
  orchestrator tree --quick registry.example.io/modules
""",
)
@click.argument("source", metavar="R")
@click.option(
    "--quick",
    envvar="ORCHESTRATOR_QUICK",
    is_flag=True,
    help="Two requests a module: images stand behind all versions.  [env: ORCHESTRATOR_QUICK]",
)
@click.option(
    "--all",
    "hidden",
    envvar="ORCHESTRATOR_ALL",
    is_flag=True,
    help="Show werf's service tags too.  [env: ORCHESTRATOR_ALL]",
)
@inspecting.reading_options
@inspecting.form_option
def command(
    source: str, quick: bool, hidden: bool, no_cache: bool, output: str, **flags: Any
) -> None:
    """Draw a module source R: its modules, their versions and images, their releases and channels.

    Behind each version stand the content-based tags of images that it is the first to use.
    """
    from orchestrator.inspection import listing, show
    from orchestrator.inspection.tags import kind
    from orchestrator.model import Repository

    place = Repository.parse(source)
    with inspecting.reading(flags, no_cache=no_cache) as reader:
        branches = listing.tree(reader, place, quick=quick, hidden=hidden)
    if output == "text":
        inspecting.write(show.tree(place, branches))
        return
    rows = [
        (branch.name, where, tag, str(kind(tag, of_releases=where == "release")))
        for branch in branches
        for where, tags in (("module", branch.images), ("release", branch.releases))
        for tag in tags
    ]
    inspecting.write_form(
        output,
        names=(),
        header=("MODULE", "PLACE", "TAG", "KIND"),
        rows=rows,
        value={
            "source": str(place),
            "modules": [
                {
                    "name": show.plain(branch.name),
                    "images": [show.plain(tag) for tag in branch.images],
                    "releases": [show.plain(tag) for tag in branch.releases],
                }
                for branch in branches
            ],
        },
    )
