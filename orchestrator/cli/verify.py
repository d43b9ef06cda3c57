"""`orchestrator verify`: a published version or channel against every rule, from the registry alone."""

import os

import click

from orchestrator.cli import options


@click.command(
    "verify",
    epilog="""Examples:

\b
  orchestrator verify registry.example.io/modules/echo:v1.2.3
  orchestrator verify registry.example.io/modules/echo:stable
  orchestrator verify registry.example.io/modules/echo:v1.2.3@sha256:…
  orchestrator verify --deep -o junit registry.example.io/modules/echo:v1.2.3 > verify.xml
""",
)
@click.argument("reference", metavar="R/M:VERSION|CHANNEL[@DIGEST]")
@click.option(
    "--deep",
    envvar="ORCHESTRATOR_DEEP",
    is_flag=True,
    help="Download and hash every blob of the application images.  [env: ORCHESTRATOR_DEEP]",
)
@options.registry_options
@click.option(
    "-o",
    "--output",
    envvar="ORCHESTRATOR_OUTPUT",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    help="Form of the result on stdout.  [env: ORCHESTRATOR_OUTPUT; default: text]",
)
def command(reference: str, deep: bool, output: str, **flags: object) -> int:
    """Read a version or a channel back with all that it names; exit code 1 where a rule is broken.

    Warnings and notes do not change the exit code. With @DIGEST the module image must have that one.
    """
    from orchestrator.connection import connect
    from orchestrator.errors import UsageError
    from orchestrator.model import Reference
    from orchestrator.process import LocalRunner
    from orchestrator.redact import tame
    from orchestrator.settings import resolve
    from orchestrator.verify import around, finding
    from orchestrator.verify.run import verify

    target = Reference.parse(reference)
    if target.tag is None:
        raise UsageError(
            f"{reference} names no version",
            hint="give R/M:VERSION or R/M:CHANNEL, @DIGEST after it",
        )
    environ = dict(os.environ)
    runner = LocalRunner(environ)
    settings = resolve(flags, environ, None)
    registry = connect(settings, environ, runner)
    repository = target.repository
    found = verify(registry, repository, target.tag, deep=deep, expected=target.digest)
    if found.digest:
        around.check_channels(registry, repository, found)
        nobody = resolve({**flags, "docker_config": os.devnull}, environ, None)
        anonymous = connect(nobody, environ, runner, patient=False)
        around.check_anonymous(anonymous, repository, found)
    if output == "json":
        options.print_json(finding.as_json(found))
    elif output == "junit":
        click.echo(finding.as_junit(found), nl=False)
    else:
        for violation in sorted(found.violations):
            # The registry's words are in it.
            click.echo(tame(f"{violation}") + f"\n  -> {violation.fix}")
        click.echo(
            f"{found.reference}: {len(found.errors)} errors, {len(found.warnings)} warnings; "
            f"{found.images} images, {found.blobs} blobs"
        )
    return 1 if found.errors else 0
