"""`orchestrator status`: settings with their origins, stages, and what the registry holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import options

if TYPE_CHECKING:
    from orchestrator.stages.context import Context


@click.command(
    "status",
    epilog="""Examples:

\b
  orchestrator status
  orchestrator status -o json | jq .settings
""",
)
@options.settings_options
@options.output_option
def command(directory: Path, output: str, **flags: Any) -> None:
    """Show where each setting came from, how each stage stands, and what is published."""
    from orchestrator.engine.run import Selection
    from orchestrator.events import silent
    from orchestrator.stages import pipeline

    with options.opened(directory, flags) as ctx:
        run = pipeline.pipeline(ctx, Selection(), repair=False, tell=silent)
        value = {**_value(ctx), **pipeline.state(run.plan())}
    if output == "json":
        options.print_json(value)
    else:
        click.echo(_text(value))


def _value(ctx: "Context") -> dict[str, Any]:
    references = [
        ctx.module_reference,
        ctx.release_reference,
        ctx.source.tagged(ctx.module.name),
    ]
    found = ctx.registry.map(ctx.registry.head, references)
    return {
        "module": str(ctx.module.name),
        "version": {
            "value": ctx.version,
            "origin": ctx.chosen.origin,
            "release": ctx.release,
        },
        "mode": ctx.mode,
        "config": ctx.own_config,
        "commit": ctx.snapshot.commit,
        "dirty": list(ctx.snapshot.dirty),
        "builder": f"{ctx.builder.name} {ctx.builder.version()}",
        "settings": {
            name: {"value": _plain(setting.value), "origin": setting.origin}
            for name, setting in ctx.settings.by_name.items()
        },
        "registry": {
            str(reference): descriptor.digest if descriptor else None
            for reference, descriptor in zip(references, found, strict=True)
        },
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _text(value: dict[str, Any]) -> str:
    version = value["version"]
    kind = "release" if version["release"] else "development"
    dirty = f", {len(value['dirty'])} files not committed" if value["dirty"] else ""
    own = f" of {value['config']}" if value["config"] else ""
    lines = [
        f"module    {value['module']} {version['value']} ({kind}, from {version['origin']})",
        f"commit    {value['commit']}{dirty}",
        f"mode      {value['mode']}{own}",
        f"builder   {value['builder']}",
        "",
        "settings",
    ]
    for name, setting in value["settings"].items():
        shown = setting["value"]
        text = "-" if shown is None or shown in ([], {}) else shown
        lines.append(f"  {name:<18} {text!s:<40} {setting['origin']}".rstrip())
    lines += ["", "stages"]
    for stage in value["stages"]:
        detail = f" ({stage['detail']})" if stage["detail"] else ""
        lines.append(f"  {stage['stage']:<18} {stage['action']:<6} {stage['reason']}{detail}")
    lines += ["", "registry"]
    for reference, digest in value["registry"].items():
        lines.append(f"  {reference}  {digest or 'not there'}")
    return "\n".join(lines)
