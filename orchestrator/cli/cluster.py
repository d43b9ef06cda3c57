"""Options and deliveries of the verbs that speak to a cluster."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import options

if TYPE_CHECKING:
    from orchestrator.cluster.kubectl import Kubectl
    from orchestrator.cluster.override import PullOverride
    from orchestrator.model import ModuleName


def kube_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which kubectl, and which cluster."""
    for declare in (
        click.option(
            "--kube-context",
            envvar="WERF_KUBE_CONTEXT",
            metavar="TEXT",
            help="Context of the kubeconfig; the current one if absent.  [env: WERF_KUBE_CONTEXT]",
        ),
        click.option(
            "--kubectl",
            "program",
            envvar="ORCHESTRATOR_KUBECTL",
            default="kubectl",
            metavar="TEXT",
            help="The kubectl program, such as 'd8 k'.  [env: ORCHESTRATOR_KUBECTL; default: kubectl]",
        ),
    ):
        function = declare(function)
    return function


def apply_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--apply",
        "apply_",
        envvar="ORCHESTRATOR_APPLY",
        is_flag=True,
        help="Hand it to the cluster with kubectl.  [env: ORCHESTRATOR_APPLY]",
    )(function)


def api_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--api",
        envvar="ORCHESTRATOR_OVERRIDE_API",
        type=click.Choice(["v1alpha1", "v1alpha2"]),
        default="v1alpha2",
        help="Version of ModulePullOverride; v1alpha1 for an old DKP.  "
        "[env: ORCHESTRATOR_OVERRIDE_API; default: v1alpha2]",
    )(function)


def override_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a ModulePullOverride says besides module and tag."""
    for declare in (
        click.option(
            "--rollback",
            envvar="ORCHESTRATOR_ROLLBACK",
            is_flag=True,
            help="Go back to the release when the override is deleted.  [env: ORCHESTRATOR_ROLLBACK]",
        ),
        click.option(
            "--source-name",
            envvar="ORCHESTRATOR_SOURCE_NAME",
            metavar="NAME",
            help="The cluster's ModuleSource; v1alpha1 only.  [env: ORCHESTRATOR_SOURCE_NAME]",
        ),
        click.option(
            "--scan-interval",
            envvar="ORCHESTRATOR_SCAN_INTERVAL",
            default="15s",
            metavar="TEXT",
            help="How often the cluster looks for a new digest.  "
            "[env: ORCHESTRATOR_SCAN_INTERVAL; default: 15s]",
        ),
        api_option,
    ):
        function = declare(function)
    return function


def kubectl(program: str, kube_context: str | None) -> "Kubectl":
    from orchestrator.cluster.kubectl import Kubectl

    return Kubectl(options.local_runner(dict(os.environ)), program, kube_context)


def pull_override(module: "ModuleName", tag: str, chosen: Mapping[str, Any]) -> "PullOverride":
    """From the values of `override_options`."""
    from orchestrator.cluster.override import Api, PullOverride

    return PullOverride(
        module=module,
        tag=tag,
        scan_interval=chosen["scan_interval"],
        source=chosen["source_name"],
        rollback=chosen["rollback"],
        api=Api(chosen["api"]),
    )


def deliver(
    text: str,
    *,
    file: Path | None,
    cluster: "Kubectl | None",
    mode: int = 0o644,
    secrets: Iterable[str] = (),
) -> bool:
    """A manifest to a file, to the cluster, or both; False where it is left to be printed."""
    from orchestrator.fsio import atomic_write
    from orchestrator.redact import mask, tame

    if file is not None:
        atomic_write(file, text.encode(), mode=mode)
        click.echo(f"wrote {file}", err=True)
    if cluster is not None:
        click.echo(tame(mask(cluster.apply(text, secrets=secrets))), err=True)
    return file is not None or cluster is not None


def _regular(_ctx: click.Context, _option: click.Parameter, file: Path | None) -> Path | None:
    """Files are replaced whole, which a device such as /dev/stdout would not survive."""
    if file is None:
        return None
    if str(file) == "-" or (file.exists() and not file.is_file()):
        raise click.BadParameter(f"{file} is no regular file; leave it out to print the manifest")
    return file.resolve()


def file_option(help_: str, *, short: bool = True) -> Callable[..., Any]:
    """--manifest; -o where it does not stand for the form of the output."""
    return click.option(
        *(("-o",) if short else ()),
        "--manifest",
        "file",
        envvar="ORCHESTRATOR_MANIFEST",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=_regular,
        metavar="FILE",
        help=f"{help_}  [env: ORCHESTRATOR_MANIFEST]",
    )
