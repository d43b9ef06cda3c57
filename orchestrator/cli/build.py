"""`orchestrator build`: the whole pipeline."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@click.command(
    "build",
    epilog="""Examples:

\b
  orchestrator build
  orchestrator build --source registry.example.io/modules --tag v1.2.3
  orchestrator build --until digests
  orchestrator build --edition all --source 'registry.example.io/{edition}/modules'
  orchestrator build -- --platform linux/amd64
""",
)
@options.settings_options
@options.selection_options
@options.output_option
@options.log_option
@click.argument("arguments", nargs=-1, metavar="[-- WERF_ARGUMENT...]")
def command(
    directory: Path,
    first: str | None,
    last: str | None,
    forced: tuple[str, ...],
    output: str,
    log_format: str,
    arguments: tuple[str, ...],
    **flags: Any,
) -> None:
    """Bring the module to a registry: render, build, digests, module, release, register, verify.

    What holds already is not done again: run the same command after any failure. The last line on
    stdout is the module image, R/M@sha256:…
    """
    editions = _editions(directory, flags)
    reports = {}
    for edition in editions:
        one = flags if edition is None else {**flags, "edition": edition}
        report, idle = _build(directory, first, last, forced, log_format, arguments, one)
        reports[edition] = report
        if output == "json":
            continue
        click.echo(table(report), err=True)
        if idle:
            click.echo("nothing to do", err=True)
        if "image" in report:
            click.echo(f"{report['module']['repository']}@{report['image']['digest']}")
    if output == "json":
        single = reports.get(None)
        options.print_json(single if single is not None else {"schema": 1, "editions": reports})


def _editions(directory: Path, flags: "Mapping[str, Any]") -> "list[str | None]":
    """Every edition of the settings where all are asked for, in their order; else just this build."""
    from orchestrator import settings as settings_
    from orchestrator.errors import ConfigError
    from orchestrator.shape import EVERY_EDITION

    settings, _ = settings_.read(flags, dict(os.environ), settings_.read_file(directory))
    if settings["edition"] != EVERY_EDITION:
        return [None]
    if not settings["editions"]:
        raise ConfigError(
            "all editions are asked for, but none are named",
            hint="name them in orchestrator.yaml, for example: editions: {ce: ce, ee: ee}",
        )
    if "{edition}" not in (settings["source"] or settings["repo"] or ""):
        raise ConfigError(
            "all editions are asked for, but they would all be published to one place",
            hint="write {edition} into the source: --source 'registry.example.io/{edition}/modules'",
        )
    return list(settings["editions"])


def _build(
    directory: Path,
    first: str | None,
    last: str | None,
    forced: tuple[str, ...],
    log_format: str,
    arguments: tuple[str, ...],
    flags: "Mapping[str, Any]",
) -> tuple[dict[str, Any], bool]:
    """The report, and whether there was nothing to do."""
    from orchestrator.engine.run import Selection
    from orchestrator.stages import pipeline

    chosen = options.forced_stages(forced)
    with (
        options.reporter(log_format) as tell,
        options.opened(directory, flags, forced=chosen, arguments=arguments, publishes=True) as ctx,
        pipeline.locked(ctx),
    ):
        tell("target", module=ctx.module.name, version=ctx.version, reference=ctx.module_reference)
        unused = None if ctx.own_config else unused_config(ctx.tree.paths())
        for warning in filter(None, (ctx.chosen.warning, unused)):
            tell("warning", text=warning)
        selection = Selection(first=first, last=last, forced=chosen)
        outcome = pipeline.execute(ctx, selection, tell)
        return pipeline.summary(ctx, outcome), pipeline.nothing_done(outcome)


def unused_config(paths: "Iterable[str]") -> str | None:
    """A config of the module's own is passed over, and that must not go unsaid."""
    own = sorted({"werf.yaml", "werf.yml"}.intersection(paths))
    if not own:
        return None
    return f"{own[0]} is not read: the config is rendered from module.yaml and images/"


def table(report: "Mapping[str, Any]") -> str:
    """What lies in the registry now."""
    rows = [("IMAGE", "TAG", "DIGEST", "SIZE", "", "")]
    for image in report.get("images", ()):
        how = "built" if image["built"] else "reused"
        seconds = f"{image['seconds']:.1f} s" if image["built"] else ""
        rows.append(
            (image["name"], _short(image["tag"]), _digest(image), _size(image), how, seconds)
        )
    for name, key in (("(module)", "image"), ("(release)", "release")):
        if key in report:
            image = report[key]
            rows.append((name, image["tag"], _digest(image), _size(image), "", ""))
    return "\n".join(options.columns(rows))


def _short(tag: str) -> str:
    return tag if len(tag) <= 24 else f"{tag[:8]}…{tag[-14:]}"


def _digest(image: "Mapping[str, Any]") -> str:
    return str(image["digest"])[:19]


def _size(image: "Mapping[str, Any]") -> str:
    size = float(image["size"])
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
