"""Which module of which source a command is about, where no build is needed to tell."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.connection import connect
from orchestrator.errors import ConfigError
from orchestrator.model import ModuleName, Repository
from orchestrator.stages.context import WORK, make_work_directory, serve_locally, source_of

if TYPE_CHECKING:
    from orchestrator.process import Runner
    from orchestrator.registry.client import Registry
    from orchestrator.settings import Settings

DEFINITION: Final = "module.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`repository` is R/M; `name` is the same without the port of a local registry."""

    directory: Path
    settings: "Settings"
    registry: "Registry"
    repository: Repository
    name: str

    @property
    def work(self) -> Path:
        """The work directory, made where it is not there."""
        make_work_directory(self.directory)
        return self.directory / WORK


@contextmanager
def open_target(
    directory: Path,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    runner: "Runner",
    *,
    repository: str | None = None,
) -> Iterator[Target]:
    """R/M as written, or from the settings and the module.yaml of `directory`; the local registry

    is served while this is open.
    """
    from orchestrator import settings as settings_

    if not directory.is_dir():
        raise ConfigError(f"{directory} is not a directory", hint="see -C")
    directory = directory.resolve()
    settings, findings = settings_.read(flags, environ, settings_.read_file(directory))
    if findings:
        raise ConfigError("the settings are not right", findings)
    with ExitStack() as stack:
        if repository is not None:
            there = Repository.parse(repository)
            name = str(there)
        else:
            module = module_name(directory, settings)
            source = source_of(settings, module)
            local = source is None
            source = source or serve_locally(runner, directory, stack)
            there = source / module
            name = f"local/{there.path}" if local else str(there)
        yield Target(
            directory=directory,
            settings=settings,
            registry=connect(settings, environ, runner),
            repository=there,
            name=name,
        )


def module_name(directory: Path, settings: "Settings") -> ModuleName:
    from orchestrator import yamldoc

    if settings["name"]:
        return ModuleName.parse(settings["name"])
    try:
        data = (directory / DEFINITION).read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"there is no {DEFINITION} in {directory} that names the module",
            hint="go to the module with -C DIR, give --source R and --name M, or write R/M:VERSION",
        ) from None
    value = yamldoc.load(data, DEFINITION, ambiguous=False).value
    name = value.get("name") if isinstance(value, dict) else None
    if not isinstance(name, str):
        raise ConfigError(f"{DEFINITION} has no name", hint="give it one, or give --name M")
    return ModuleName.parse(name)
