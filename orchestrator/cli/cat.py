"""`orchestrator cat`: one file of an image, as it is."""

import shutil
import sys
from typing import Any

import click

from orchestrator.cli import inspecting


@click.command(
    "cat",
    epilog="""Examples:

\b
  orchestrator cat registry.example.io/modules/echo:v1.2.3 images_digests.json
  orchestrator cat registry.example.io/modules/echo/release:stable module.yaml
""",
)
@click.argument("image", metavar="R/M:TAG")
@click.argument("file", metavar="FILE")
@inspecting.reading_options
def command(image: str, file: str, no_cache: bool, **flags: Any) -> None:
    """Print a file of an image, byte for byte, as `crane export R/M:TAG - | tar -Oxf - FILE` does.

    Nothing is printed before the image's digest has been checked.
    """
    from orchestrator.model import Reference

    reference = Reference.parse(image)
    with (
        inspecting.reading(flags, no_cache=no_cache) as reader,
        reader.open(reference, file) as content,
    ):
        shutil.copyfileobj(content, sys.stdout.buffer)
        sys.stdout.buffer.flush()
