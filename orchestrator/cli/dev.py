"""`orchestrator dev`: development builds, and a cluster that runs them."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import cluster as cluster_
from orchestrator.cli import dev_build, options
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.cluster.override import Observed
    from orchestrator.stages.context import Request

_OF_NAMES = ("name", "tag")
_OF_SOURCE = ("source", "insecure_registry", "ca_file", "docker_config")


class Loop(click.Group):
    """`dev` without a verb of its own is `dev build`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["build", *args]
        return super().parse_args(ctx, args)


@click.group(
    "dev",
    cls=Loop,
    epilog="""Examples:

\b
  orchestrator dev --source registry.example.io/modules
  orchestrator dev --source registry.example.io/modules --tag pr333 --watch --apply
  orchestrator dev source my-modules --source registry.example.io/modules --apply
  orchestrator dev status
""",
)
def command() -> None:
    """Build a development tag and have a cluster run it, past releases and channels.

    Without a verb it is `dev build`; see `dev build --help` for its options.
    """


command.add_command(dev_build.build)


def _request(directory: Path, flags: Mapping[str, Any]) -> "Request":
    from orchestrator.stages.context import Request

    return Request(directory=directory, flags=flags, environ=dict(os.environ), development=True)


@command.command(
    "override",
    short_help="Print a ModulePullOverride, without building.",
    epilog="""Examples:

\b
  orchestrator dev override
  orchestrator dev override --name echo --tag pr333 --apply
  orchestrator dev override --api v1alpha1 --source-name my-modules
""",
)
@options.some_settings(*_OF_NAMES)
@options.directory_option
@cluster_.override_options
@cluster_.file_option("Write the manifest to a file.")
@cluster_.apply_option
@cluster_.kube_options
def override(
    directory: Path,
    name: str | None,
    tag: str | None,
    file: Path | None,
    apply_: bool,
    program: str,
    kube_context: str | None,
    **chosen: Any,
) -> None:
    """Print the ModulePullOverride of this module, without building anything.

    With --name and --tag it needs no work tree.
    """
    from orchestrator.cluster.manifest import to_yaml
    from orchestrator.stages.development import identify

    module, version = identify(
        _request(directory, {"name": name, "tag": tag}), options.local_runner(dict(os.environ))
    )
    text = to_yaml(cluster_.pull_override(module, version.tag, chosen).manifest())
    cluster = cluster_.kubectl(program, kube_context) if apply_ else None
    if not cluster_.deliver(text, file=file, cluster=cluster):
        click.echo(text, nl=False)


@command.command(
    "source",
    short_help="Print a ModuleSource with its credentials.",
    epilog="""Examples:

\b
  orchestrator dev source my-modules --source registry.example.io/modules --apply
  orchestrator dev source my-modules --source registry.example.io/modules -o source.yaml
  orchestrator dev source my-modules --source registry.example.io/modules | kubectl apply -f -
""",
)
@click.argument("name", metavar="NAME")
@options.some_settings(*_OF_SOURCE)
@options.directory_option
@click.option(
    "--show-secrets",
    envvar="ORCHESTRATOR_SHOW_SECRETS",
    is_flag=True,
    help="Print credentials to a terminal, too.  [env: ORCHESTRATOR_SHOW_SECRETS]",
)
@cluster_.file_option("Write the manifest to a file that only you can read.")
@cluster_.apply_option
@cluster_.kube_options
def source(
    directory: Path,
    name: str,
    show_secrets: bool,
    file: Path | None,
    apply_: bool,
    program: str,
    kube_context: str | None,
    **flags: Any,
) -> None:
    """Print a ModuleSource for --source, with the credentials of its registry from the Docker config.

    NAME is its name in the cluster. Give the cluster an account that may only pull.
    """
    from orchestrator.cluster.manifest import to_yaml
    from orchestrator.stages.development import module_source

    made = module_source(name, _request(directory, flags), options.local_runner(dict(os.environ)))
    if not made.docker_config:
        host = made.repository.registry
        click.echo(f"no credentials for {host}: the cluster reads it anonymously", err=True)
    if made.on_loopback:
        click.echo(
            f"warning: {made.repository.registry} is this machine only: a cluster elsewhere "
            "cannot read it",
            err=True,
        )
    text = to_yaml(made.manifest())
    cluster = cluster_.kubectl(program, kube_context) if apply_ else None
    if cluster_.deliver(text, file=file, cluster=cluster, mode=0o600, secrets=[made.docker_config]):
        return
    if made.docker_config and sys.stdout.isatty() and not show_secrets:
        raise UsageError(
            "the manifest holds credentials, which are not printed to a terminal",
            hint="give -o FILE or --apply, pipe it on, or ask for it with --show-secrets",
        )
    click.echo(text, nl=False)


@command.command(
    "renew",
    short_help="Have the cluster look at the image at once.",
    epilog="""Examples:

\b
  orchestrator dev renew
  orchestrator dev renew --apply
  orchestrator dev renew --name echo --kubectl 'd8 k' --apply
""",
)
@options.some_settings("name")
@options.directory_option
@cluster_.api_option
@cluster_.apply_option
@cluster_.kube_options
def renew(
    directory: Path,
    name: str | None,
    api: str,
    apply_: bool,
    program: str,
    kube_context: str | None,
) -> None:
    """Print, or run, the commands that have the cluster look at the override's image at once.

    A DKP that knows the annotation modules.deckhouse.io/renew pulls the module again even if its
    digest is the same. An older one only looks, and reloads if the digest has changed.
    """
    from orchestrator.cluster.kubectl import renewal
    from orchestrator.cluster.override import Api
    from orchestrator.stages.development import module_name

    module = module_name(
        _request(directory, {"name": name}), options.local_runner(dict(os.environ))
    )
    cluster = cluster_.kubectl(program, kube_context)
    if not apply_:
        for arguments in renewal(module, Api(api)):
            click.echo(shlex.join([*cluster.argv, *arguments]))
        return
    cluster.renew(module, Api(api))
    click.echo(f"the cluster looks at {module} again", err=True)


@command.command(
    "status",
    short_help="Compare the cluster with the registry.",
    epilog="""Examples:

\b
  orchestrator dev status --source registry.example.io/modules
  orchestrator dev status -o json
""",
)
@options.settings_options
@cluster_.kube_options
@options.output_option
def status(
    directory: Path, program: str, kube_context: str | None, output: str, **flags: Any
) -> None:
    """Compare what the cluster's override has loaded with what its tag names in the registry."""
    from orchestrator.cluster.override import advice, compare
    from orchestrator.redact import mask, tame
    from orchestrator.stages.development import published

    cluster = cluster_.kubectl(program, kube_context)
    cluster.check()
    with options.opened(directory, flags, development=True) as ctx:
        observed = cluster.override(ctx.module.name)
        tag = observed.tag if observed else ctx.version
        digest = published(ctx, tag)
        reference = str(ctx.repository.tagged(tag))
        name, builds = ctx.module.name, ctx.version
    standing = compare(observed, digest)
    hint = (advice(observed, name) if observed else None) or _next(standing, observed)
    if output == "json":
        options.print_json(
            {
                "schema": 1,
                "state": str(standing),
                "module": str(name),
                "builds": builds,
                "reference": reference,
                "registry": digest,
                "override": _as_json(observed),
                "hint": hint,
            }
        )
        return
    if observed:
        other = f"; this work tree builds {builds}" if observed.tag != builds else ""
        click.echo(f"override  {name}: {observed.tag}, looked for every {observed.interval}{other}")
        since = f" since {observed.updated_at}" if observed.updated_at else ""
        click.echo(f"cluster   {observed.digest or 'nothing loaded'}{since}")
        click.echo(f"message   {tame(mask(observed.message)) or '-'}")
    click.echo(f"registry  {digest or 'not there'}  {reference}")
    click.echo(f"{standing}" + (f": {hint}" if hint else ""))


def _next(standing: str, observed: "Observed | None") -> str | None:
    from orchestrator.cluster.override import Standing

    match standing:
        case Standing.ABSENT:
            return "orchestrator dev override --apply"
        case Standing.UNPUBLISHED:
            return "orchestrator dev build publishes it"
        case Standing.BEHIND if observed:
            return (
                f"it looks every {observed.interval}; at once with: orchestrator dev renew --apply"
            )
        case _:
            return None


def _as_json(observed: "Observed | None") -> dict[str, Any] | None:
    if observed is None:
        return None
    return {
        "tag": observed.tag,
        "scanInterval": observed.interval,
        "imageDigest": observed.digest,
        "updatedAt": observed.updated_at,
        "message": observed.message,
        "renewing": observed.renewing,
    }
