"""The pipeline over a context: its journal, its lock, its report."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from orchestrator import __version__
from orchestrator.engine.journal import Journal, lock
from orchestrator.engine.plan import Kind
from orchestrator.engine.run import Outcome, Pipeline, Selection
from orchestrator.errors import OrchestratorError, ToolMissing
from orchestrator.events import Tell
from orchestrator.fsio import atomic_write, canonical_json, pretty_json, sha256
from orchestrator.redact import mask
from orchestrator.stages import PIPELINE, build, module, register, release
from orchestrator.stages.context import Context

REPORT_SCHEMA: Final = 1
REPORT: Final = "report.json"
WERF_REPORT: Final = "images_tags_werf.json"


def now() -> str:
    """The time for the journal, in RFC 3339."""
    return datetime.datetime.now(tz=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pipeline(ctx: Context, selection: Selection, *, repair: bool, tell: Tell) -> Pipeline[Context]:
    """`repair` lets the journal be mended, for a run that holds the lock."""
    target = {"module": str(ctx.module.name), "repository": ctx.target}
    name = sha256(canonical_json(target))[7:19]
    journal = Journal.read(
        ctx.work / "journal" / f"{ctx.module.name}-{name}.jsonl",
        target,
        repair=repair,
        warn=lambda text: tell("warning", text=text),
    )
    return Pipeline(
        stages=PIPELINE,
        context=ctx,
        journal=journal,
        root=ctx.directory,
        selection=selection,
        clock=now,
    )


def execute(ctx: Context, selection: Selection, tell: Tell) -> Outcome:
    """Run the pipeline; the reports are written whether it ends well or not."""
    outcome = Outcome()
    try:
        pipeline(ctx, selection, repair=True, tell=tell).execute(tell, outcome)
    except OrchestratorError as error:
        with suppress(OSError):
            write_reports(ctx, summary(ctx, outcome, error))
        raise
    write_reports(ctx, summary(ctx, outcome))
    return outcome


@contextmanager
def locked(ctx: Context) -> Iterator[None]:
    with lock(ctx.work / "lock", command=f"orchestrator build of {ctx.module_reference}"):
        yield


def summary(
    ctx: Context, outcome: Outcome, error: OrchestratorError | None = None
) -> dict[str, Any]:
    """What a run came to, as the registry answered: the content of report.json."""
    results = outcome.results
    failed = {"stage": error.stage, "message": mask(error.message)} if error else None
    value: dict[str, Any] = {
        "schema": REPORT_SCHEMA,
        "tool": f"orchestrator {__version__}",
        "builder": _builder(ctx),
        "mode": ctx.mode,
        "ok": error is None,
        "commit": ctx.snapshot.commit,
        "dirty": bool(ctx.snapshot.dirty),
        "module": {
            "name": str(ctx.module.name),
            "version": ctx.version,
            "source": str(ctx.source),
            "repository": str(ctx.repository),
        },
        "stages": [
            {"stage": a.stage, "action": str(a.kind), "reason": str(a)} for a in outcome.actions
        ],
        "replaced": ctx.replaced,
        "error": failed,
    }
    if build.STAGE in results:
        applications = results[build.STAGE].applications()
        value["images"] = [_image(ctx, name, image) for name, image in sorted(applications.items())]
    for key, stage, repository in (
        ("image", module.STAGE, ctx.repository),
        ("release", release.STAGE, ctx.releases),
    ):
        if stage in results:
            value[key] = _published(results[stage], str(repository))
    if register.STAGE in results:
        digest = results[register.STAGE].digest
        value["catalog"] = {"reference": f"{ctx.source}:{ctx.module.name}", "digest": digest}
    return value


def _builder(ctx: Context) -> str | None:
    try:
        return f"{ctx.builder.name} {ctx.builder.version()}"
    except ToolMissing:
        return None


def _image(ctx: Context, name: str, image: Any) -> dict[str, Any]:
    rebuilt, seconds = ctx.built.get(name, (False, 0.0))
    return {
        "name": name,
        "reference": f"{ctx.repository}:{image['tag']}@{image['digest']}",
        "tag": image["tag"],
        "digest": image["digest"],
        "size": image["size"],
        "built": rebuilt,
        "seconds": round(seconds, 2),
    }


def _published(result: module.Published, repository: str) -> dict[str, Any]:
    return {
        "reference": f"{repository}:{result.tag}@{result.digest}",
        "tag": result.tag,
        "digest": result.digest,
        "size": result.size,
    }


def write_reports(ctx: Context, value: dict[str, Any]) -> None:
    """report.json, and images_tags_werf.json in the shape of werf's own report for today's scripts."""
    atomic_write(ctx.work / REPORT, pretty_json(value))
    records = {
        image["name"]: _werf_record(ctx, image["name"], str(ctx.repository), image)
        for image in value.get("images", ())
    }
    for name, key, repository in (
        (ctx.settings["bundle_image"], "image", ctx.repository),
        (ctx.settings["release_image"], "release", ctx.releases),
    ):
        if key in value:
            records[name] = _werf_record(ctx, name, str(repository), value[key])
    data = pretty_json({"Images": records, "ImagesByPlatform": {}})
    atomic_write(ctx.directory / WERF_REPORT, data)


def _werf_record(ctx: Context, name: str, repository: str, image: dict[str, Any]) -> dict[str, Any]:
    return {
        "WerfImageName": name,
        "DockerRepo": repository,
        "DockerTag": image["tag"],
        "DockerImageDigest": image["digest"],
        "DockerImageName": f"{repository}:{image['tag']}",
        "Rebuilt": image.get("built", False),
        "Final": True,
        "Size": image["size"],
        "Commit": ctx.snapshot.commit,
    }


def state(outcome: Outcome) -> dict[str, Any]:
    """A plan as data."""
    return {
        "schema": REPORT_SCHEMA,
        "changes": outcome.changes,
        "stages": [
            {
                "stage": action.stage,
                "action": str(action.kind),
                "reason": str(action.reason),
                "detail": action.detail,
            }
            for action in outcome.actions
        ],
    }


def nothing_done(outcome: Outcome) -> bool:
    return all(action.kind is Kind.SKIP for action in outcome.actions)
