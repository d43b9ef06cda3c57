"""`orchestrator diff`: what differs between two versions, or between a version and the work tree."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import inspecting, options

if TYPE_CHECKING:
    from orchestrator.inspection.content import Content
    from orchestrator.model import Repository


@click.command(
    "diff",
    epilog="""Examples:

\b
  orchestrator diff registry.example.io/modules/echo:stable registry.example.io/modules/echo:v1.3.0
  orchestrator diff registry.example.io/modules/echo:v1.2.3
  orchestrator diff -o markdown registry.example.io/modules/echo:stable > notes.md
""",
)
@click.argument("before", metavar="R/M:A")
@click.argument("after", metavar="[R/M:B]", required=False)
@options.directory_option
@click.option(
    "--exit-code",
    envvar="ORCHESTRATOR_EXIT_CODE",
    is_flag=True,
    help="Exit with 1 where they differ.  [env: ORCHESTRATOR_EXIT_CODE]",
)
@inspecting.reading_options
@click.option(
    "-o",
    "--output",
    envvar="ORCHESTRATOR_OUTPUT",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    help="Form of the result on stdout.  [env: ORCHESTRATOR_OUTPUT; default: text]",
)
def command(
    before: str,
    after: str | None,
    directory: Path,
    exit_code: bool,
    no_cache: bool,
    output: str,
    **flags: Any,
) -> int:
    """Say what leads from A to B, or from A to what a build of the work tree would publish.

    A and B are versions, development tags or channels. A setting that was removed, changed its type
    or has to be given now is marked BREAKING: DKP suspends a release that a cluster's settings do
    not fit.
    """
    from orchestrator.inspection import report
    from orchestrator.inspection.content import published
    from orchestrator.inspection.diff import diff
    from orchestrator.model import Reference

    references = [Reference.parse(text) for text in (before, after) if text is not None]
    with inspecting.reading(flags, no_cache=no_cache) as reader:
        contents = [published(reader, reference) for reference in references]
    if after is None:
        contents.append(_work_tree(directory, references[0].repository, flags))
    found = diff(*contents)
    if output == "json":
        options.print_json(report.as_json(found))
    else:
        inspecting.write((report.as_text if output == "text" else report.as_markdown)(found))
    return 1 if exit_code and found.differs else 0


def _work_tree(directory: Path, repository: "Repository", flags: dict[str, Any]) -> "Content":
    from orchestrator import git
    from orchestrator import module as module_
    from orchestrator import settings as settings_
    from orchestrator.adoption import own_config
    from orchestrator.bundle import module_files
    from orchestrator.errors import ConfigError
    from orchestrator.inspection.content import work_tree
    from orchestrator.process import LocalRunner
    from orchestrator.shape import Shape

    if not directory.is_dir():
        raise ConfigError(f"{directory} is not a directory", hint="see -C")
    directory = directory.resolve()
    runner = LocalRunner(dict(os.environ))
    snapshot = git.snapshot(runner, directory, with_dirty=True)
    tree = git.Tree(runner, directory, snapshot.tree)
    settings, _ = settings_.read({}, dict(os.environ), settings_.read_file(directory))
    shape = Shape.of(settings)
    own = own_config(settings, tree.paths())
    module = module_.load(tree, name=settings["name"], shape=shape, adopted=own is not None)
    if module.name != repository.last:
        raise ConfigError(
            f"{directory} holds the module {module.name}, and {repository} is another one",
            hint="give the module's directory with -C, or a second reference",
        )
    files = module_files(tree.paths(), shape)
    return work_tree(tree, module, files, _current_digests(directory, repository, flags))


def _current_digests(
    directory: Path, repository: "Repository", flags: dict[str, Any]
) -> bytes | None:
    """images_digests.json where the last build made it of this very tree, for this very source."""
    from orchestrator.engine.plan import Kind
    from orchestrator.engine.run import Selection
    from orchestrator.errors import OrchestratorError
    from orchestrator.events import silent
    from orchestrator.stages import digests, pipeline

    if not (directory / digests.FILE).exists():
        return None
    target = {"source": str(repository.parent), "name": repository.last}
    try:
        with options.opened(directory, {**flags, **target}) as ctx:
            run = pipeline.pipeline(ctx, Selection(), repair=False, tell=silent)
            kinds = {action.stage: action.kind for action in run.plan().actions}
    except OrchestratorError:
        # No build of this tree could be planned, so there was none.
        return None
    if kinds.get("build") is Kind.SKIP and kinds.get("digests") is Kind.SKIP:
        return (directory / digests.FILE).read_bytes()
    return None
