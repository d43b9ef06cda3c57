"""What the stages work on: settings, module, version, repositories and the way to them."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import ConfigError, Finding, OrchestratorError, ToolMissing
from orchestrator.fsio import atomic_write
from orchestrator.model import Reference, Repository
from orchestrator.stages.gather import Gather

if TYPE_CHECKING:
    from orchestrator.builders import Builder
    from orchestrator.git import Snapshot, Tree
    from orchestrator.model import Digest
    from orchestrator.module import Module
    from orchestrator.process import Runner
    from orchestrator.registry.client import Registry
    from orchestrator.settings import Settings
    from orchestrator.shape import Import, Shape
    from orchestrator.version import Chosen
    from orchestrator.werf_config import Sources

WORK: Final = ".orchestrator"
LOCAL_SOURCE_PATH: Final = "modules"


@dataclass(kw_only=True)
class Context:
    """One module, one version, one target. `source` is R, `repository` is R/M.

    `own_config` is the module's own werf config, None where one is rendered.
    """

    directory: Path
    environ: Mapping[str, str]
    settings: "Settings"
    runner: "Runner"
    snapshot: "Snapshot"
    tree: "Tree"
    module: "Module"
    chosen: "Chosen"
    shape: "Shape"
    source: Repository
    local: bool
    own_config: str | None = None
    forced: frozenset[str] = frozenset()
    arguments: tuple[str, ...] = ()
    built: dict[str, tuple[bool, float]] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)
    kept: str | None = None
    unfinished: "Digest | None" = None

    @property
    def work(self) -> Path:
        return self.directory / WORK

    @property
    def mode(self) -> str:
        return "generate" if self.own_config is None else "adopt"

    @property
    def version(self) -> str:
        return self.chosen.version.tag

    @property
    def release(self) -> bool:
        return self.chosen.version.release

    @cached_property
    def repository(self) -> Repository:
        return self.source / self.module.name

    @cached_property
    def releases(self) -> Repository:
        return self.repository / "release"

    @cached_property
    def stages_repository(self) -> Repository:
        """Where the builder keeps what it builds; R/M unless --repo says otherwise."""
        given = self.settings["repo"] and not self.local
        return _parsed(self.settings, "repo") if given else self.repository

    @property
    def module_reference(self) -> Reference:
        return self.repository.tagged(self.version)

    @property
    def release_reference(self) -> Reference:
        return self.releases.tagged(self.version)

    @cached_property
    def config_sources(self) -> "Sources":
        """Everything that a werf config is made from, read once."""
        from orchestrator import werf_config

        return werf_config.collect(
            self.tree,
            self.directory,
            self.module,
            self.shape,
            args=self.settings["build_args"],
            values=self.settings["build_values"],
        )

    @property
    def imports(self) -> "tuple[Import, ...]":
        """Files of built images that the module image takes; a config of the module's own takes its own."""
        if self.own_config is not None:
            return self.shape.imports or ()
        return self.config_sources.hooks.imports

    @property
    def target(self) -> str:
        """Names the target in journal and fingerprints; the local registry's port may change."""
        return f"local/{self.repository.path}" if self.local else str(self.repository)

    def stable(self, repository: Repository) -> str:
        """A repository's name as `target` writes it."""
        return f"local/{repository.path}" if self.local else str(repository)

    @property
    def may_replace(self) -> bool:
        """A published version may get another digest: development tags, or --force."""
        return not self.release or bool(self.forced & {"module", "release"})

    @cached_property
    def registry(self) -> "Registry":
        from orchestrator.connection import connect

        return connect(self.settings, self.environ, self.runner)

    @cached_property
    def builder(self) -> "Builder":
        wanted = self.settings["builder"]
        werf = self.settings["werf"]
        if (
            wanted == "werf"
            or self.own_config is not None
            or (wanted == "auto" and self.runner.which(werf) is not None)
        ):
            from orchestrator.builders.werf import Werf

            return Werf(self.runner, werf)
        from orchestrator.builders.buildah import Buildah

        if self.runner.which("buildah") is None:
            raise ToolMissing(
                "no builder: neither werf nor buildah is on PATH",
                hint="install werf (werf.io, Getting started), "
                "or for Dockerfile images only: apt-get install buildah",
            )
        return Buildah(self.runner, self.registry)

    @cached_property
    def created(self) -> str | None:
        """RFC 3339 time of the commit or $SOURCE_DATE_EPOCH; none for development builds,

        whose digest then moves only when their content does.
        """
        import datetime

        if not self.release:
            return None
        epoch = self.environ.get("SOURCE_DATE_EPOCH", "")
        seconds = int(epoch) if epoch.isdigit() else self.snapshot.committed_at
        moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asked for; `publishes` if it will write to the registry.

    `as_it_is` takes the work tree even for a release, for what only writes files there.
    """

    directory: Path
    flags: Mapping[str, Any]
    environ: Mapping[str, str]
    forced: frozenset[str] = frozenset()
    arguments: tuple[str, ...] = ()
    publishes: bool = False
    development: bool = False
    as_it_is: bool = False


@contextmanager
def open_context(request: Request, runner: "Runner") -> Iterator[Context]:
    """Everything the stages need, read and checked; raises ConfigError with all findings at once."""
    from orchestrator import settings as settings_

    if not request.directory.is_dir():
        raise ConfigError(f"{request.directory} is not a directory", hint="see -C")
    directory = request.directory.resolve()
    gather = Gather()
    file = settings_.read_file(directory)
    settings, findings = settings_.read(request.flags, request.environ, file)
    if findings:
        gather.add(ConfigError("the settings are not right", findings))
    with ExitStack() as stack:
        context = _context(request, directory, runner, settings, gather, stack)
        make_work_directory(directory)
        yield context


def _context(
    request: Request,
    directory: Path,
    runner: "Runner",
    settings: "Settings",
    gather: Gather,
    stack: ExitStack,
) -> Context:
    from orchestrator import adoption, git
    from orchestrator import module as module_
    from orchestrator import version as version_
    from orchestrator.shape import Shape

    snapshot = git.snapshot(runner, directory, with_dirty=False)
    tag = settings.by_name["tag"]
    chosen = gather(
        lambda: version_.choose(
            (tag.value, tag.origin) if tag.value else None,
            request.environ,
            tags=snapshot.tags,
            branch=snapshot.branch,
            development=request.development,
        )
    )
    from_commit = bool(chosen and chosen.version.release and not request.as_it_is)
    if snapshot.dirty and chosen and not from_commit:
        snapshot = git.snapshot(runner, directory, with_dirty=True)
    tree = git.Tree(runner, directory, snapshot.tree)
    shape = gather(lambda: Shape.of(settings)) or Shape()
    if chosen and from_commit:
        gather(lambda: _refuse_dirty(snapshot, tree, chosen, shape))
    own_config = gather(lambda: adoption.own_config(settings, tree.paths()))
    adopted = own_config is not None
    module = gather(lambda: module_.load(tree, name=settings["name"], shape=shape, adopted=adopted))
    if gather and request.publishes:
        with suppress(OrchestratorError):
            _refused(request, directory, runner, settings, gather)
    gather.done()
    assert chosen and module  # noqa: S101  done() has raised otherwise
    source = source_of(settings, module.name)
    local = source is None
    if source is None:
        source = serve_locally(runner, directory, stack)
    return Context(
        directory=directory,
        environ=request.environ,
        settings=settings,
        runner=runner,
        snapshot=snapshot,
        tree=tree,
        module=module,
        chosen=chosen,
        shape=shape,
        source=source,
        local=local,
        own_config=own_config,
        forced=request.forced,
        arguments=request.arguments,
    )


def _refused(
    request: Request, directory: Path, runner: "Runner", settings: "Settings", gather: Gather
) -> None:
    """What the registry would say, for those who mend their configuration anyhow."""
    from orchestrator.connection import connect
    from orchestrator.stages import preflight
    from orchestrator.stages.target import module_name

    name = module_name(directory, settings)
    source = source_of(settings, name)
    if source is None:
        return
    registry = connect(settings, request.environ, runner, patient=False)
    repository = source / name
    findings = preflight.refused(registry, (source, repository, repository / "release"))
    if findings:
        gather.add(ConfigError("the registry does not let us publish", findings))


def source_of(settings: "Settings", name: str) -> Repository | None:
    """R as given, or the parent of --repo where that is R/M; None asks for the local registry."""
    if settings["source"]:
        return _parsed(settings, "source")
    if not settings["repo"]:
        return None
    repo = _parsed(settings, "repo")
    if repo.last != name or repo.parent is None:
        raise ConfigError(
            f"the module source is not given, and {repo} ({settings.origin('repo')}) does not end "
            f"in /{name}, so that it could be told from there",
            hint="give the source with --source or $MODULES_MODULE_SOURCE",
        )
    return repo.parent


def _parsed(settings: "Settings", name: str) -> Repository:
    from orchestrator.shape import in_edition

    try:
        return Repository.parse(in_edition(settings, settings[name]))
    except ConfigError as error:
        finding = Finding(settings.origin(name), 0, f"{name}: {error.message}")
        raise ConfigError("the settings are not right", [finding], hint=error.hint) from None


def serve_locally(runner: "Runner", directory: Path, stack: ExitStack) -> Repository:
    from orchestrator.registry import embedded

    make_work_directory(directory)
    address = stack.enter_context(embedded.serve(runner, directory / WORK / "registry"))
    return Repository(address, LOCAL_SOURCE_PATH)


def make_work_directory(directory: Path) -> None:
    """The work directory ignores itself: nothing in it is ever committed or seen by git.

    It holds the schema that orchestrator.yaml names, as of this program.
    """
    from orchestrator import jsonschema

    for name, data in ((".gitignore", b"*\n"), (jsonschema.NAME, jsonschema.settings_schema())):
        path = directory / WORK / name
        if not path.exists() or path.read_bytes() != data:
            atomic_write(path, data)


def _refuse_dirty(snapshot: "Snapshot", tree: "Tree", chosen: "Chosen", shape: "Shape") -> None:
    """A release is built from a commit: changed files, and new ones that it would hold, are refused."""
    from orchestrator.bundle import module_files

    tracked = set(tree.paths())
    published = set(module_files(snapshot.dirty, shape))
    roots = ("images/", ".werf/", "werf")
    wrong = [
        path
        for path in snapshot.dirty
        if path in tracked or path in published or path.startswith(roots)
    ]
    if wrong:
        raise ConfigError(
            f"{chosen.version} is a release ({chosen.origin}), but files are not committed",
            [Finding(path, 0, "not committed") for path in sorted(wrong)],
            hint="commit or stash them, or give --tag NAME for a development build",
        )
