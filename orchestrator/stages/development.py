"""Development builds: what a tag named before and after, and what a cluster needs to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cluster.source import ModuleSource
from orchestrator.engine.run import Selection
from orchestrator.errors import ConfigError, RegistryError
from orchestrator.events import Tell
from orchestrator.model import ModuleName, Reference, Repository, Version
from orchestrator.stages import pipeline
from orchestrator.stages.context import Context, Request

if TYPE_CHECKING:
    from orchestrator.process import Runner
    from orchestrator.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """`was` is the digest of the tag before, None where it was not there."""

    reference: Reference
    digest: str
    was: str | None
    report: Mapping[str, Any]

    @property
    def changed(self) -> bool:
        """Whether a cluster that follows the tag has something to load."""
        return self.digest != self.was

    @property
    def pinned(self) -> str:
        return f"{self.reference.repository}@{self.digest}"


def build(ctx: Context, tell: Tell) -> Built:
    """Bring the tag to what the work tree holds."""
    was = published(ctx, ctx.version)
    report = pipeline.summary(ctx, pipeline.execute(ctx, Selection(), tell))
    return Built(
        reference=ctx.module_reference,
        digest=report["image"]["digest"],
        was=was,
        report=report,
    )


def published(ctx: Context, tag: str) -> str | None:
    """The digest of the module image under a tag, None where there is none."""
    try:
        found = ctx.registry.head(ctx.repository.tagged(tag))
    except RegistryError as error:
        # Some registries deny reading a repository before its first push.
        if error.status == 403:
            return None
        raise
    return found.digest if found else None


def identify(request: Request, runner: "Runner") -> tuple[ModuleName, Version]:
    """Module and development tag; the settings may tell both, so that no work tree is needed."""
    from orchestrator import git
    from orchestrator import version as version_

    settings = _settings(request)
    tag = settings.by_name["tag"]
    asked = (tag.value, tag.origin) if tag.value else None
    branch = None
    if asked is None:
        branch = git.snapshot(runner, request.directory, with_dirty=False).branch
    chosen = version_.choose(asked, request.environ, tags=(), branch=branch, development=True)
    return module_name(request, runner), chosen.version


def module_name(request: Request, runner: "Runner") -> ModuleName:
    """By the settings, else by the work tree's module.yaml."""
    from orchestrator import git, module

    if text := _settings(request)["name"]:
        return ModuleName.parse(text)
    snapshot = git.snapshot(runner, request.directory, with_dirty=True)
    return module.load(git.Tree(runner, request.directory, snapshot.tree)).name


def module_source(name: str, request: Request, runner: "Runner") -> ModuleSource:
    """The ModuleSource for R, with the credentials that the Docker config has for it."""
    from orchestrator.registry.auth import DockerConfig
    from orchestrator.registry.transport import is_loopback

    settings = _settings(request)
    if not settings["source"]:
        raise ConfigError(
            "the module source is not given, and no cluster can read the local registry",
            hint="give it with --source or $MODULES_MODULE_SOURCE",
        )
    repository = Repository.parse(settings["source"])
    home = Path(request.environ.get("HOME") or Path.home())
    config = DockerConfig(Path(settings["docker_config"] or home / ".docker"), runner)
    return ModuleSource.make(
        name,
        repository,
        insecure=settings["insecure_registry"] or is_loopback(repository.registry),
        ca=_read(settings["ca_file"]) if settings["ca_file"] else None,
        credentials=config.credentials(repository.registry, repository.path),
    )


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path} (--ca-file): {error.strerror}") from error


def _settings(request: Request) -> "Settings":
    from orchestrator.settings import read_file, resolve

    return resolve(request.flags, request.environ, read_file(request.directory))
