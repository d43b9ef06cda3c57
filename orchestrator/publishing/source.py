"""Where the images to publish come from: a build report of werf, or a build of the module."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestrator.builders.report import parse_report
from orchestrator.engine.run import Selection
from orchestrator.errors import ConfigError, Finding
from orchestrator.events import Tell
from orchestrator.model import Reference
from orchestrator.module import ImageKind
from orchestrator.publishing.plan import chosen
from orchestrator.stages import build, pipeline
from orchestrator.stages.context import Context

_LAST: Final = "build"


def read_report(path: Path, asked: Sequence[str]) -> dict[str, Reference]:
    """Image name -> what was built: the final images, or those that are asked for by name."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read the build report {path}: {error.strerror}",
            hint="werf build --save-build-report --build-report-path FILE writes one",
        ) from error
    report = parse_report(data, builder="werf")
    built = {image.name: image.reference for image in report.images}
    names = chosen(built, asked) if asked else [image.name for image in report.final]
    return {name: built[name] for name in names}


def expected(ctx: Context, asked: Sequence[str]) -> list[str] | None:
    """The names that a build will have; None where a fragment names images of its own."""
    if any(image.kind is ImageKind.STAPEL for image in ctx.module.images):
        return None
    known = [image.name for image in ctx.module.images]
    return chosen(known, asked) if asked else known


def run_build(ctx: Context, asked: Sequence[str], tell: Tell) -> dict[str, Reference]:
    """Image name -> what was built, after the pipeline up to its build."""
    outcome = pipeline.execute(ctx, Selection(last=_LAST), tell)
    built = outcome.results[build.STAGE].digests()
    names = chosen(built, asked) if asked else list(built)
    return {name: ctx.repository.at(built[name]) for name in names}


def unknown_names(ctx: Context) -> ConfigError:
    fragments = [image for image in ctx.module.images if image.kind is ImageKind.STAPEL]
    return ConfigError(
        "the names of all images are known after a build only",
        [
            Finding(f"{image.directory}/{image.kind.value}", 0, "it names its images itself")
            for image in fragments
        ],
        hint="publish without --dry-run, or give the report of an earlier build with --report",
    )
