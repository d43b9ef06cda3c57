"""`orchestrator dev build`: a development tag, once or at every change."""

import os
import signal
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import cluster as cluster_
from orchestrator.cli import options
from orchestrator.cli.build import table, unused_config
from orchestrator.errors import Interrupted, OrchestratorError

if TYPE_CHECKING:
    from orchestrator.cluster.kubectl import Kubectl
    from orchestrator.stages.development import Built


class Build(click.Command):
    """A word that is no option would be a misspelt verb more often than an argument of werf."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        marked = "--" in args
        rest = super().parse_args(ctx, args)
        if ctx.params["arguments"] and not marked:
            word = ctx.params["arguments"][0]
            raise click.UsageError(
                f"{word!r} is no verb of dev here: a verb comes first, arguments of werf after --"
            )
        return rest


@click.command(
    "build",
    cls=Build,
    short_help="Build and publish a development tag; the default.",
    epilog="""Examples:

\b
  orchestrator dev build --source registry.example.io/modules     # or: orchestrator dev
  orchestrator dev --source registry.example.io/modules --tag pr333 --apply
  orchestrator dev --source registry.example.io/modules --watch --apply
  orchestrator dev --source registry.example.io/modules --manifest override.yaml
""",
)
@options.settings_options
@click.option(
    "--watch",
    envvar="ORCHESTRATOR_WATCH",
    is_flag=True,
    help="Build again at every change, until Ctrl-C.  [env: ORCHESTRATOR_WATCH]",
)
@cluster_.override_options
@cluster_.file_option("Write the ModulePullOverride to a file.", short=False)
@cluster_.apply_option
@cluster_.kube_options
@options.output_option
@options.log_option
@click.argument("arguments", nargs=-1, metavar="[-- WERF_ARGUMENT...]")
def build(
    *,
    directory: Path,
    watch: bool,
    api: str,
    scan_interval: str,
    source_name: str | None,
    rollback: bool,
    file: Path | None,
    apply_: bool,
    program: str,
    kube_context: str | None,
    output: str,
    log_format: str,
    arguments: tuple[str, ...],
    **flags: Any,
) -> None:
    """Build the work tree as it is, committed or not, and publish it under a development tag.

    The tag is --tag, else pr333 or mr12 in CI, else made from the branch. It says whether the
    digest changed, since only then a cluster reloads the module, and prints the ModulePullOverride.
    """
    cluster = cluster_.kubectl(program, kube_context) if apply_ else None
    if cluster is not None:
        cluster.check()
    loop = _Loop(
        directory=directory,
        flags=flags,
        arguments=arguments,
        override={
            "api": api,
            "scan_interval": scan_interval,
            "source_name": source_name,
            "rollback": rollback,
        },
        file=file,
        cluster=cluster,
        output=output,
        log_format=log_format,
    )
    if watch:
        loop.watch()
    else:
        loop.build()


@dataclass(kw_only=True)
class _Loop:
    """What each build of one command line shares; `delivered` is the manifest that is out already."""

    directory: Path
    flags: Mapping[str, Any]
    arguments: tuple[str, ...]
    override: Mapping[str, Any]
    file: Path | None
    cluster: "Kubectl | None"
    output: str
    log_format: str
    delivered: str = ""

    def build(self) -> None:
        from orchestrator.cluster.manifest import to_yaml
        from orchestrator.stages import development, pipeline

        with (
            options.reporter(self.log_format) as tell,
            options.opened(
                self.directory, self.flags, arguments=self.arguments, development=True
            ) as ctx,
            pipeline.locked(ctx),
        ):
            # Before the build: what no cluster takes is refused early.
            manifest = cluster_.pull_override(
                ctx.module.name, ctx.version, self.override
            ).manifest()
            tell(
                "target",
                module=ctx.module.name,
                version=ctx.version,
                reference=ctx.module_reference,
            )
            local = (
                "the local registry is on this machine only: no cluster can read it; see --source"
            )
            unreachable = local if ctx.local and self.cluster is not None else None
            for warning in filter(
                None, (ctx.chosen.warning, unused_config(ctx.tree.paths()), unreachable)
            ):
                tell("warning", text=warning)
            built = development.build(ctx, tell)
        self._tell(built, manifest, to_yaml(manifest))

    def _tell(self, built: "Built", manifest: Mapping[str, Any], text: str) -> None:
        if self.output == "text":
            click.echo(table(built.report), err=True)
        click.echo(verdict(built, self.override["scan_interval"]), err=True)
        fresh = text != self.delivered
        out = fresh and cluster_.deliver(text, file=self.file, cluster=self.cluster)
        self.delivered = text
        if self.output == "json":
            options.print_json(
                {
                    "schema": 1,
                    "reference": str(built.reference),
                    "image": built.pinned,
                    "digest": built.digest,
                    "was": built.was,
                    "changed": built.changed,
                    "override": manifest,
                }
            )
        elif out or not fresh:
            click.echo(built.pinned)
        else:
            click.echo(text, nl=False)

    def watch(self) -> None:
        """Build now and after every change that git sees; a failing build waits for the next one.

        Ctrl-C while nothing is built is the way out, and no failure.
        """
        from orchestrator import git
        from orchestrator.watch import bursts

        runner = options.local_runner(dict(os.environ))
        directory = self.directory.resolve()
        built: str | None = None
        building = False
        try:
            with closing(bursts(directory)) as found:
                for _changed in found:
                    try:
                        tree = git.snapshot(runner, directory, with_dirty=True).tree
                        if tree == built:
                            continue
                        built, building = None, True
                        self.build()
                        built = tree
                    except (OrchestratorError, OSError) as error:
                        _survive(error)
                    building = False
                    what = "stop with Ctrl-C" if built else "the next change builds again"
                    click.echo(f"watching; {what}", err=True)
        except Interrupted as stop:
            if building or stop.signum != signal.SIGINT:
                raise
        click.echo("stopped watching", err=True)


def verdict(built: "Built", interval: str) -> str:
    """Whether a cluster that follows the tag has something to load."""
    if built.was is None:
        return f"new: {built.reference} is {built.digest}"
    if built.changed:
        return (
            f"changed: {built.reference} was {built.was} and is {built.digest}: "
            f"the override reloads within {interval}"
        )
    return (
        f"unchanged: {built.reference} is {built.digest} as before: the override will not reload\n"
        "-> to have it loaded all the same: orchestrator dev renew --apply; "
        "where that does nothing (an older DKP), delete the override and apply it again"
    )


def _survive(error: OrchestratorError | OSError) -> None:
    from orchestrator.cli import file_error, show
    from orchestrator.errors import ToolMissing, UsageError

    if isinstance(error, (ToolMissing, UsageError)):
        raise error
    show(file_error(error) if isinstance(error, OSError) else error)
