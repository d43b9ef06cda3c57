"""`orchestrator ci-env`: the variables that a CI job gives to the other verbs."""

import os
from pathlib import Path

import click


@click.command(
    "ci-env",
    epilog="""Examples:

\b
  source <(orchestrator ci-env gitlab)
  . "$(orchestrator ci-env jenkins --as-file)"
  orchestrator ci-env github --tagging-strategy commit
""",
)
@click.argument("system", metavar="gitlab|github|jenkins")
@click.option(
    "--tagging-strategy",
    "strategy",
    envvar="ORCHESTRATOR_TAGGING_STRATEGY",
    type=click.Choice(["tag-or-branch", "commit"]),
    default="tag-or-branch",
    help="What `images publish` is to tag by: the git tag or branch of the job, or its commit.  "
    "[env: ORCHESTRATOR_TAGGING_STRATEGY; default: tag-or-branch]",
)
@click.option(
    "--as-file",
    envvar="ORCHESTRATOR_AS_FILE",
    is_flag=True,
    help="Write a script and print its path, for shells without <(…).  [env: ORCHESTRATOR_AS_FILE]",
)
def command(system: str, strategy: str, as_file: bool) -> None:
    """Print `export NAME="value"` lines for a shell to source.

    WERF_TAG_GIT_TAG, WERF_TAG_GIT_BRANCH or WERF_TAG_GIT_COMMIT, WERF_IMAGES_REPO,
    MODULES_MODULE_SOURCE and MODULES_MODULE_TAG, as far as the job tells them. What is set already
    is left as it is. On an error the script fails, so that `set -e` stops the job.
    """
    from orchestrator.ci import variables
    from orchestrator.errors import OrchestratorError
    from orchestrator.redact import mask, tame

    environ = dict(os.environ)
    try:
        derived = variables.derive(system, environ, strategy=strategy)
    except OrchestratorError:
        # A shell does not see the exit code of <(…).
        if not as_file:
            click.echo("false")
        raise
    for warning in derived.warnings:
        click.echo(f"warning: {tame(mask(warning))}", err=True)
    script = variables.lines(derived, environ).encode(errors="surrogateescape")
    click.echo(_write(script) if as_file else script, nl=as_file)


def _write(script: bytes) -> Path:
    import tempfile

    descriptor, name = tempfile.mkstemp(prefix="orchestrator-ci-env-", suffix=".sh")
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(script)
    return Path(name)
