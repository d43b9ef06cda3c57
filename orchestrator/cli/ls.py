"""`orchestrator ls`: modules of a source, images and releases of a module, files of an image."""

from typing import Any

import click

from orchestrator.cli import inspecting


@click.group(
    "ls",
    epilog="""Examples:

\b
  orchestrator ls modules registry.example.io/modules
  orchestrator ls images -o table registry.example.io/modules/echo
  orchestrator ls releases -o table registry.example.io/modules/echo
  orchestrator ls files registry.example.io/modules/echo:v1.2.3
""",
)
def command() -> None:
    """List what a module source, a module or an image holds."""


@command.command(
    "modules",
    epilog="""Examples:

\b
  orchestrator ls modules registry.example.io/modules
""",
)
@click.argument("source", metavar="R")
@inspecting.reading_options
@inspecting.form_option
def modules(source: str, no_cache: bool, output: str, **flags: Any) -> None:
    """Modules of a source R, one a line, as `crane ls R` prints them."""
    from orchestrator.inspection import listing
    from orchestrator.inspection.show import plain
    from orchestrator.model import Repository

    place = Repository.parse(source)
    with inspecting.reading(flags, no_cache=no_cache) as reader:
        found = listing.modules(reader, place)
    inspecting.write_form(
        output,
        names=found,
        header=("MODULE", "REPOSITORY"),
        rows=[(name, f"{place}/{name}") for name in sorted(found)],
        value={"source": str(place), "modules": [plain(name) for name in sorted(found)]},
    )


@command.command(
    "images",
    epilog="""Examples:

\b
  orchestrator ls images registry.example.io/modules/echo
  orchestrator ls images -o table registry.example.io/modules/echo
""",
)
@click.argument("module", metavar="R/M")
@click.option(
    "--all",
    "hidden",
    envvar="ORCHESTRATOR_ALL",
    is_flag=True,
    help="Show werf's service tags too.  [env: ORCHESTRATOR_ALL]",
)
@inspecting.reading_options
@inspecting.form_option
def images(module: str, hidden: bool, no_cache: bool, output: str, **flags: Any) -> None:
    """Tags of a module R/M: versions, and content-based tags of application images.

    As text they stand one a line, in the order of `crane ls R/M`. A table and JSON say besides which
    version uses which image, and under which name: that takes a request or two a tag.
    """
    from orchestrator.inspection import listing
    from orchestrator.inspection.show import plain
    from orchestrator.inspection.tags import Kind, kind
    from orchestrator.model import Repository

    place = Repository.parse(module)
    with inspecting.reading(flags, no_cache=no_cache) as reader:
        names = listing.tags(reader, place)
        names = [tag for tag in names if hidden or kind(tag) is not Kind.SERVICE]
        found = [] if output == "text" else listing.images(reader, place, names)
    inspecting.warn((image.tag, image.problem) for image in found)
    inspecting.write_form(
        output,
        names=names,
        header=("TAG", "KIND", "DIGEST", "IMAGES", "USED BY"),
        rows=[
            (
                image.tag,
                image.kind,
                image.digest,
                ",".join(image.images or image.names),
                ",".join(image.used_by),
            )
            for image in found
        ],
        value={
            "repository": str(place),
            "images": [
                {
                    "tag": plain(image.tag),
                    "kind": image.kind,
                    "digest": image.digest or None,
                    "images": dict(image.images),
                    "names": list(image.names),
                    "problem": plain(image.problem) or None,
                    "usedBy": list(image.used_by),
                }
                for image in found
            ],
        },
    )


@command.command(
    "releases",
    epilog="""Examples:

\b
  orchestrator ls releases registry.example.io/modules/echo
  orchestrator ls releases -o table registry.example.io/modules/echo
""",
)
@click.argument("module", metavar="R/M")
@inspecting.reading_options
@inspecting.form_option
def releases(module: str, no_cache: bool, output: str, **flags: Any) -> None:
    """Released versions and channels of a module R/M.

    As text they stand one a line, in the order of `crane ls R/M/release`. A table and JSON say
    besides which version each channel holds.
    """
    from orchestrator.inspection import listing
    from orchestrator.inspection.show import plain
    from orchestrator.model import Repository

    place = Repository.parse(module) / "release"
    with inspecting.reading(flags, no_cache=no_cache) as reader:
        names = listing.tags(reader, place)
        found = [] if output == "text" else listing.releases(reader, place, names)
    inspecting.warn((each.tag, each.problem) for each in found)
    inspecting.write_form(
        output,
        names=names,
        header=("TAG", "KIND", "VERSION", "DIGEST"),
        rows=[(each.tag, each.kind, each.version, each.digest) for each in found],
        value={
            "repository": str(place),
            "releases": [
                {
                    "tag": plain(each.tag),
                    "kind": each.kind,
                    "version": plain(each.version) or None,
                    "problem": plain(each.problem) or None,
                    "digest": each.digest or None,
                }
                for each in found
            ],
        },
    )


@command.command(
    "files",
    epilog="""Examples:

\b
  orchestrator ls files registry.example.io/modules/echo:v1.2.3
  orchestrator ls files registry.example.io/modules/echo/release:stable
""",
)
@click.argument("image", metavar="R/M:TAG")
@inspecting.reading_options
@inspecting.form_option
def files(image: str, no_cache: bool, output: str, **flags: Any) -> None:
    """Files of an image, one a line, as `crane export R/M:TAG - | tar -tf -` prints them."""
    from orchestrator.inspection.show import plain
    from orchestrator.model import Reference

    reference = Reference.parse(image)
    with inspecting.reading(flags, no_cache=no_cache) as reader:
        found = reader.members(reference)
    inspecting.write_form(
        output,
        names=[each.name for each in found],
        header=("MODE", "SIZE", "KIND", "NAME"),
        rows=[(f"{each.mode:04o}", str(each.size), each.kind, each.name) for each in found],
        value={
            "reference": str(reference),
            "files": [
                {
                    "name": plain(each.name),
                    "kind": each.kind,
                    "mode": f"{each.mode:04o}",
                    "size": each.size,
                    "link": plain(each.link) or None,
                }
                for each in found
            ],
        },
    )
