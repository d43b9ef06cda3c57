"""`orchestrator images publish`: built images under tags of git or of the user's own."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli import options
from orchestrator.publishing.tags import SLUGS, Strategy

if TYPE_CHECKING:
    from orchestrator.publishing.plan import Name, Parameters
    from orchestrator.publishing.publish import Published

SCHEMA: Final = 1
_MEANINGS: Final = {
    Strategy.GIT_TAG: ("TAG", "Tag with the slug of this git tag"),
    Strategy.GIT_BRANCH: ("BRANCH", "Tag with the slug of this git branch"),
    Strategy.GIT_COMMIT: ("COMMIT", "Tag with the slug of this git commit"),
    Strategy.CUSTOM: ("TAG", "Tag as it is given"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the command line asks for."""

    images: tuple[str, ...]
    wanted: "Parameters"
    directory: Path
    flags: Mapping[str, Any]
    log_format: str
    dry_run: bool


@click.group("images")
def command() -> None:
    """Application images by themselves, without the module around them."""


def _tag_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for strategy, (metavar, meaning) in reversed(_MEANINGS.items()):
        several = " and WERF_TAG_CUSTOM_*" if strategy is Strategy.CUSTOM else ""
        function = click.option(
            strategy.flag,
            strategy.name,
            multiple=True,
            metavar=metavar,
            help=f"{meaning}; may be given many times.  [env: {strategy.variable}{several}]",
        )(function)
    return function


@command.command(
    "publish",
    short_help="Publish built images under tags of git or of your own.",
    epilog="""Examples:

\b
  orchestrator images publish --images-repo registry.example.io/web --tag-custom v1.2.0
  source <(orchestrator ci-env gitlab) && orchestrator images publish
  orchestrator images publish --report report.json --images-repo registry.example.io/web \\
      --tag-git-branch feature/x --dry-run
""",
)
@click.option(
    "--images-repo",
    envvar="WERF_IMAGES_REPO",
    metavar="REPO",
    help="Repository to publish to: an image goes to REPO/IMAGE, a nameless one to REPO itself.  "
    "[env: WERF_IMAGES_REPO]",
)
@_tag_options
@click.option(
    "--slug",
    "style",
    envvar="ORCHESTRATOR_SLUG",
    type=click.Choice(list(SLUGS)),
    default="werf",
    help="How git references become tags: as werf slugify does, or as werf 1.0 did.  "
    "[env: ORCHESTRATOR_SLUG; default: werf]",
)
@click.option(
    "--report",
    envvar="ORCHESTRATOR_BUILD_REPORT",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Publish what this report of werf build names, and build nothing.  "
    "[env: ORCHESTRATOR_BUILD_REPORT]",
)
@click.option("--dry-run", is_flag=True, help="Print the names, one a line, and do nothing.")
@options.settings_options
@options.output_option
@options.log_option
@click.argument("images", nargs=-1, metavar="[IMAGE...]")
def publish(
    *,
    images: tuple[str, ...],
    images_repo: str | None,
    style: str,
    report: Path | None,
    dry_run: bool,
    directory: Path,
    output: str,
    log_format: str,
    **flags: Any,
) -> None:
    """Publish each image under each tag, as a new image with labels that say what it is.

    The images of the module in -C are built where they are not; or --report names what werf
    built. All final images, or those that are named. What is published already is not sent again.
    """
    from orchestrator.publishing.plan import parameters

    tags = {strategy: flags.pop(strategy.name) for strategy in Strategy}
    asked = _Asked(
        images=images,
        wanted=parameters(images_repo, tags, os.environ, style=style),
        directory=directory,
        flags=flags,
        log_format=log_format,
        dry_run=dry_run,
    )
    names, published = _of_module(asked) if report is None else _of_report(asked, report)
    _print(names, published, output)


def _of_report(asked: _Asked, path: Path) -> "tuple[tuple[Name, ...], tuple[Published, ...]]":
    from orchestrator import settings as settings_
    from orchestrator.connection import connect
    from orchestrator.process import LocalRunner
    from orchestrator.publishing import plan, source
    from orchestrator.publishing.publish import publish

    environ = dict(os.environ)
    file = settings_.read_file(asked.directory)
    settings = settings_.resolve(asked.flags, environ, file)
    sources = source.read_report(path, asked.images)
    names = plan.names(asked.wanted, sources)
    plan.spare(names, references=sources.values())
    if asked.dry_run:
        return names, ()
    registry = connect(settings, environ, LocalRunner(environ))
    fallback = asked.wanted.repository.last
    with options.reporter(asked.log_format) as tell:
        return names, publish(registry, names, sources, tell, project=None, fallback=fallback)


def _of_module(asked: _Asked) -> "tuple[tuple[Name, ...], tuple[Published, ...]]":
    from orchestrator.publishing import plan, source
    from orchestrator.publishing.publish import check_access, publish
    from orchestrator.stages import pipeline

    with (
        options.reporter(asked.log_format) as tell,
        options.opened(asked.directory, asked.flags) as ctx,
    ):
        places = (ctx.source, ctx.repository, ctx.releases)
        expected = source.expected(ctx, asked.images)
        if expected is not None:
            names = plan.names(asked.wanted, expected)
            plan.spare(names, repositories=places)
            if asked.dry_run:
                return names, ()
            check_access(ctx.registry, names)
        elif asked.dry_run:
            raise source.unknown_names(ctx)
        with pipeline.locked(ctx):
            sources = source.run_build(ctx, asked.images, tell)
        names = plan.names(asked.wanted, sources)
        plan.spare(names, repositories=places)
        project = str(ctx.module.name)
        return names, publish(ctx.registry, names, sources, tell, project=project, fallback=project)


def _print(names: Iterable["Name"], published: Iterable["Published"], output: str) -> None:
    done = {each.name.target: each for each in published}
    if output == "json":
        options.print_json(
            {"schema": SCHEMA, "images": [_record(name, done.get(name.target)) for name in names]}
        )
        return
    for name in names:
        found = done.get(name.target)
        click.echo(str(found.reference if found else name.target))


def _record(name: "Name", published: "Published | None") -> dict[str, Any]:
    value = {
        "name": name.image,
        "repository": str(name.target.repository),
        "tag": name.tag.tag,
        "strategy": str(name.tag.strategy),
        "value": name.tag.value,
    }
    if published is None:
        return {**value, "reference": str(name.target)}
    return {
        **value,
        "reference": str(published.reference),
        "digest": published.digest,
        "built": published.source.digest,
        "state": str(published.state),
        "was": published.was,
    }
