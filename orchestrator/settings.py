"""Settings: flag > environment > orchestrator.yaml > default, each value with its origin."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import ConfigError, Finding, OrchestratorError
from orchestrator.model import has_control

if TYPE_CHECKING:
    from orchestrator.schema import Schema
    from orchestrator.yamldoc import Document

FILE: Final = "orchestrator.yaml"
# Parts of the file that are no settings of one run; `section()` reads them.
SECTIONS: Final = ("deps", "lint")


class Kind(Enum):
    TEXT = "text"
    WHOLE = "whole number"
    FLAG = "true or false"
    LIST = "list"
    MAP = "map of text"


class Source(Enum):
    FLAG = "flag"
    ENV = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting: its flag, its one environment name (`NAME_*` gathers a list), its key in the file."""

    name: str
    help: str
    kind: Kind = Kind.TEXT
    flag: str | None = None
    env: str | None = None
    in_file: bool = True
    default: Any = None
    choices: tuple[str, ...] = ()
    minimum: int = 0


OPTIONS: Final = (
    Option(
        name="source",
        flag="--source",
        env="MODULES_MODULE_SOURCE",
        help="Module source R, the repository that a ModuleSource names; a local registry if absent.",
    ),
    Option(
        name="name",
        flag="--name",
        env="MODULES_MODULE_NAME",
        help="Module name M; module.yaml says it otherwise.",
    ),
    Option(
        name="tag",
        flag="--tag",
        env="MODULES_MODULE_TAG",
        in_file=False,
        help="Version vX.Y.Z, or a tag for development; else from CI, the git tag, the branch.",
    ),
    Option(
        name="repo",
        flag="--repo",
        env="WERF_REPO",
        help="Repository of the build stages; R/M if absent.",
    ),
    Option(
        name="secondary_repos",
        flag="--secondary-repo",
        env="WERF_SECONDARY_REPO_*",
        kind=Kind.LIST,
        default=(),
        help="Repository to take built stages from, read only; may be given many times.",
    ),
    Option(
        name="builder",
        flag="--builder",
        env="ORCHESTRATOR_BUILDER",
        default="auto",
        choices=("auto", "werf", "buildah"),
        help="Who builds the application images; auto is werf where it is on PATH.",
    ),
    Option(
        name="werf",
        flag="--werf",
        env="ORCHESTRATOR_WERF",
        default="werf",
        help="The werf executable.",
    ),
    Option(
        name="insecure_registry",
        flag="--insecure-registry/--no-insecure-registry",
        env="WERF_INSECURE_REGISTRY",
        kind=Kind.FLAG,
        default=False,
        help="Allow plain HTTP to registries that are not on this machine.",
    ),
    Option(
        name="ca_file",
        flag="--ca-file",
        env="ORCHESTRATOR_CA_FILE",
        help="PEM file with certificate authorities to trust besides the system's.",
    ),
    Option(
        name="docker_config",
        flag="--docker-config",
        env="DOCKER_CONFIG",
        in_file=False,
        help="Directory with the config.json that holds registry credentials.",
    ),
    Option(
        name="parallel",
        flag="--parallel-tasks-limit",
        env="WERF_PARALLEL_TASKS_LIMIT",
        kind=Kind.WHOLE,
        default=5,
        minimum=-(10**9),
        help="How many images are built at once; 0 or less is no limit.",
    ),
    Option(
        name="concurrency",
        flag="--concurrency",
        env="ORCHESTRATOR_CONCURRENCY",
        kind=Kind.WHOLE,
        default=8,
        minimum=1,
        help="How many registry requests run at once.",
    ),
    Option(
        name="retries",
        flag="--retries",
        env="ORCHESTRATOR_RETRIES",
        kind=Kind.WHOLE,
        default=5,
        help="How often a registry request that may succeed later is repeated.",
    ),
    Option(
        name="timeout",
        flag="--timeout",
        env="ORCHESTRATOR_TIMEOUT",
        kind=Kind.WHOLE,
        default=60,
        minimum=1,
        help="Seconds without an answer after which a registry request counts as failed.",
    ),
    Option(
        name="build_args",
        kind=Kind.MAP,
        default={},
        help="Build arguments of every Dockerfile image.",
    ),
    Option(
        name="build_values",
        kind=Kind.MAP,
        default={},
        help="Values that image fragments (werf.inc.yaml) see in their context.",
    ),
)
_BY_NAME: Final = {option.name: option for option in OPTIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value and where it came from."""

    value: Any
    source: Source
    origin: str

    def __str__(self) -> str:
        return f"{self.value} ({self.origin})"


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings by name; `settings["repo"]` is the value."""

    by_name: Mapping[str, Setting] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.by_name[name].value

    def origin(self, name: str) -> str:
        return self.by_name[name].origin

    def given(self, name: str) -> bool:
        return self.by_name[name].source is not Source.DEFAULT


def resolve(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    file: bytes | None,
) -> Settings:
    """One Setting an option; raises ConfigError with everything that is wrong with them."""
    settings, findings = read(flags, environ, file)
    if findings:
        raise ConfigError("the settings are not right", findings)
    return settings


def read(
    flags: Mapping[str, Any], environ: Mapping[str, str], file: bytes | None
) -> tuple[Settings, list[Finding]]:
    """The settings so far as they are right, with defaults in place of the others, and what is wrong."""
    findings: list[Finding] = []
    in_file, lines = _read_file(file, findings)
    chosen: dict[str, Setting] = {}
    for option in OPTIONS:
        for candidate in (
            _from_flag(option, flags),
            _from_env(option, environ),
            _from_file(option, in_file, lines),
        ):
            if candidate is not None:
                chosen[option.name] = _checked(option, candidate, findings)
                break
        else:
            chosen[option.name] = Setting(
                value=option.default, source=Source.DEFAULT, origin="default"
            )
    return Settings(chosen), sorted(findings)


def _read_file(
    data: bytes | None, findings: list[Finding]
) -> tuple[Mapping[str, Any], Mapping[tuple[str | int, ...], int]]:
    if data is None:
        return {}, {}
    from orchestrator import yamldoc

    document = yamldoc.load(data, FILE)
    findings.extend(document.findings)
    if document.value is None:
        return {}, {}
    if not isinstance(document.value, dict):
        findings.append(Finding(FILE, 1, "a map of settings is expected"))
        return {}, {}
    known = [*(option.name for option in OPTIONS if option.in_file), *SECTIONS]
    for key in document.value:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            tip = f"; did you mean {close[0]}?" if close else ""
            if key in _BY_NAME:
                tip = f"; it is set by {_BY_NAME[key].flag} or {_BY_NAME[key].env} only"
            line = document.lines.get((key,), 0)
            findings.append(Finding(FILE, line, f"unknown setting {key!r}{tip}"))
    return document.value, document.lines


def _from_flag(option: Option, flags: Mapping[str, Any]) -> Setting | None:
    value = flags.get(option.name)
    if value is None or value == ():
        return None
    flag = (option.flag or "").partition("/")[0]
    return Setting(value=value, source=Source.FLAG, origin=flag)


def _from_env(option: Option, environ: Mapping[str, str]) -> Setting | None:
    """An empty variable counts as unset: CI systems set all they know."""
    if option.env is None:
        return None
    if option.env.endswith("*"):
        prefix = option.env[:-1]
        names = sorted(name for name in environ if name.startswith(prefix) and environ[name])
        values = tuple(environ[name] for name in names)
        if not values:
            return None
        return Setting(value=values, source=Source.ENV, origin=", ".join(f"${n}" for n in names))
    text = environ.get(option.env, "")
    return Setting(value=text, source=Source.ENV, origin=f"${option.env}") if text else None


def _from_file(
    option: Option, values: Mapping[str, Any], lines: Mapping[tuple[str | int, ...], int]
) -> Setting | None:
    if not option.in_file or values.get(option.name) is None:
        return None
    origin = f"{FILE}:{lines.get((option.name,), 0)}"
    return Setting(value=values[option.name], source=Source.FILE, origin=origin)


def _checked(option: Option, setting: Setting, findings: list[Finding]) -> Setting:
    """The setting with its value in the option's type; what does not fit is a finding."""
    try:
        value = _READERS[option.kind](option, setting.value)
    except ValueError as error:
        origin, _, line = setting.origin.partition(":")
        where = Finding(origin, int(line) if line.isdigit() else 0, f"{option.name}: {error}")
        findings.append(where)
        return Setting(value=option.default, source=Source.DEFAULT, origin="default")
    return Setting(value=value, source=setting.source, origin=setting.origin)


def _text(option: Option, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"text is expected, not {value!r}")
    if has_control(value):
        raise ValueError("it holds a control character, such as a line break")
    if option.choices and value not in option.choices:
        close = difflib.get_close_matches(value, option.choices, n=1)
        tip = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"{value!r} is none of {', '.join(option.choices)}{tip}")
    return value


def _whole(option: Option, value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,9}", str(value)):
        raise ValueError(f"a whole number is expected, not {value!r}")
    if int(value) < option.minimum:
        raise ValueError(f"at least {option.minimum} is expected, not {value}")
    return int(value)


def _flag(_option: Option, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if str(value).lower() not in words:
        raise ValueError(f"true or false is expected, not {value!r}")
    return words[str(value).lower()]


def _list(option: Option, value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"a list is expected, not {value!r}")
    return tuple(_text(option, item) for item in value)


def _map(_option: Option, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"a map of names to text is expected, not {value!r}")
    for name, item in value.items():
        if not isinstance(item, str):
            raise ValueError(f"{name}: text is expected, not {item!r}: quote it")
    return {str(name): item for name, item in value.items()}


_READERS: Final[Mapping[Kind, Callable[[Option, Any], Any]]] = {
    Kind.TEXT: _text,
    Kind.WHOLE: _whole,
    Kind.FLAG: _flag,
    Kind.LIST: _list,
    Kind.MAP: _map,
}


def section(file: bytes | None, name: str, schema: "Schema") -> "Document":
    """A part of orchestrator.yaml by its schema, as a document of its own; None where it is not there."""
    from orchestrator import yamldoc
    from orchestrator.schema import check

    document = yamldoc.load(file or b"", FILE)
    value = document.value.get(name) if isinstance(document.value, dict) else None
    below = {path[1:]: line for path, line in document.lines.items() if path[:1] == (name,)}
    part = yamldoc.Document(value=value, lines=below, findings=())
    findings = list(document.findings)
    if value is not None:
        findings += check(schema, part, FILE)
    if findings:
        raise ConfigError(
            f"{FILE} is not right", sorted(findings), hint=f"see docs/{name}.md for {name}:"
        )
    return part


def read_file(directory: Path) -> bytes | None:
    """The bytes of orchestrator.yaml, None where there is none."""
    try:
        return (directory / FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OrchestratorError(f"cannot read {FILE}: {error.strerror}") from error
