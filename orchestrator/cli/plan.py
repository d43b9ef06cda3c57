"""`orchestrator plan`: what a build would do, and why."""

from pathlib import Path
from typing import Any

import click

from orchestrator.cli import options


@click.command(
    "plan",
    epilog="""Examples:

\b
  orchestrator plan
  orchestrator plan --exit-code     # 2 where a build would do something
  orchestrator plan -o json --tag v1.2.3
""",
)
@options.settings_options
@options.selection_options
@click.option(
    "--exit-code",
    envvar="ORCHESTRATOR_EXIT_CODE",
    is_flag=True,
    help="Exit with 2 where a build would do something.  [env: ORCHESTRATOR_EXIT_CODE]",
)
@options.output_option
@click.argument("arguments", nargs=-1, metavar="[-- WERF_ARGUMENT...]")
def command(
    directory: Path,
    first: str | None,
    last: str | None,
    forced: tuple[str, ...],
    exit_code: bool,
    output: str,
    arguments: tuple[str, ...],
    **flags: Any,
) -> int:
    """Say of each stage whether a build would run it, and for what reason; writes nothing."""
    from orchestrator.engine.run import Selection
    from orchestrator.events import silent
    from orchestrator.stages import pipeline

    chosen = options.forced_stages(forced)
    with options.opened(directory, flags, forced=chosen, arguments=arguments) as ctx:
        selection = Selection(first=first, last=last, forced=chosen)
        run = pipeline.pipeline(ctx, selection, repair=False, tell=silent)
        outcome = run.plan()
    if output == "json":
        options.print_json(pipeline.state(outcome))
    else:
        for action in outcome.actions:
            click.echo(f"{action.stage:<9} {action.kind:<6} {action}")
    return 2 if exit_code and outcome.changes else 0
