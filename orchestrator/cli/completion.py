"""`orchestrator completion`: the script that lets a shell complete verbs, options and channels."""

import click


@click.command(
    "completion",
    epilog="""Examples:

\b
  source <(orchestrator completion bash)      # in ~/.bashrc
  source <(orchestrator completion zsh)       # in ~/.zshrc
  orchestrator completion fish > ~/.config/fish/completions/orchestrator.fish
""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL."""
    from click.shell_completion import get_completion_class

    from orchestrator.cli import cli

    made = get_completion_class(shell)
    assert made is not None  # noqa: S101  click has all three
    script = made(cli, {}, "orchestrator", "_ORCHESTRATOR_COMPLETE")
    click.echo(script.source_template % script.source_vars())
