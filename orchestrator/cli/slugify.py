"""`orchestrator slugify`: equal to `werf slugify`."""

import click


@click.command(
    "slugify",
    epilog="""Examples:

\b
  orchestrator slugify feature/My_branch
  orchestrator slugify -f kubernetes-namespace My_branch
""",
)
@click.option(
    "-f",
    "--format",
    "form",
    envvar="ORCHESTRATOR_SLUG_FORMAT",
    type=click.Choice(["docker-tag", "kubernetes-namespace"]),
    default="docker-tag",
    help="What the text is to become.  [env: ORCHESTRATOR_SLUG_FORMAT; default: docker-tag]",
)
@click.argument("text")
def command(form: str, text: str) -> None:
    """Print TEXT as a legal tag or namespace; legal ones stay as they are."""
    from orchestrator import slug

    made = slug.docker_tag(text) if form == "docker-tag" else slug.kubernetes_namespace(text)
    click.echo(made)
