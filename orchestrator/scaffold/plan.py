"""What `init` writes into a module repository: only what is missing, from what is there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from orchestrator import giterminism, jsonschema, yamldoc
from orchestrator.adoption import OWN_CONFIGS
from orchestrator.errors import ConfigError, UsageError
from orchestrator.fragments import Usage
from orchestrator.git import OWN_FILES
from orchestrator.model import ModuleName
from orchestrator.module import FILE as MODULE
from orchestrator.option import Kind, Option
from orchestrator.settings import FILE as SETTINGS
from orchestrator.settings import OPTIONS
from orchestrator.templating import template_path

MAKEFILE: Final = "Makefile"
IGNORE: Final = ".gitignore"
SCHEMA: Final = f".orchestrator/{jsonschema.NAME}"
# CI engine -> where it looks for its file, and the template of that file.
CI: Final[Mapping[str, tuple[str, str]]] = {
    "gitlab": (".gitlab-ci.yml", "ci/gitlab-ci.yml"),
    "github": (".github/workflows/module.yaml", "ci/github.yaml"),
    "jenkins": ("Jenkinsfile", "ci/Jenkinsfile"),
}
FILES: Final = (
    *(MODULE, SETTINGS, giterminism.FILE, IGNORE, MAKEFILE, *OWN_CONFIGS),
    *(path for path, _ in CI.values()),
)
_MAKEFILE: Final = (
    ".PHONY: build\n"
    "build: ## Publish the module; into a local registry where MODULES_MODULE_SOURCE is not set\n"
    "\torchestrator build\n"
)


class Action(StrEnum):
    WRITE = "write"
    EXTEND = "extend"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A file, what happens to it, and its whole content afterwards."""

    path: str
    action: Action
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`advice` is what only the user can do."""

    changes: tuple[Change, ...]
    advice: tuple[str, ...]


def plan(
    there: Mapping[str, bytes | None], *, directory: str, name: str | None, ci: str | None
) -> Plan:
    """`there` holds the files of FILES that exist, with None for what is no readable file.

    Raises ConfigError or UsageError where there is no name for the module, or two.
    """
    own = next((path for path in OWN_CONFIGS if path in there), None)
    stated = _stated_name(there.get(MODULE), name)
    wanted: dict[str, bytes] = {}
    if MODULE not in there:
        wanted[MODULE] = _minimal(name or _name_of(directory))
        stated = True
    wanted[SETTINGS] = settings_text({"name": name} if name and not stated else {}).encode()
    if own is None:
        wanted[giterminism.FILE] = giterminism.text(giterminism.needed(Usage())).encode()
    wanted[MAKEFILE] = _MAKEFILE.encode()
    if ci is not None:
        path, template = CI[ci]
        wanted[path] = template_path(template).read_bytes()
    changes = [
        Change(path=path, action=Action.KEEP)
        if path in there
        else Change(path=path, action=Action.WRITE, data=data)
        for path, data in wanted.items()
    ]
    changes.append(_ignore(there))
    named = stated or (name is not None and SETTINGS not in there)
    return Plan(changes=tuple(changes), advice=tuple(_advice(there, own, named=named)))


def _stated_name(module: bytes | None, asked: str | None) -> bool:
    """Whether module.yaml says the module's name; raises ConfigError for another or an illegal one."""
    if asked is not None:
        ModuleName.parse(asked)
    value = yamldoc.load(module or b"", MODULE).value
    own = value.get("name") if isinstance(value, dict) else None
    if own is not None and asked not in {None, own}:
        raise ConfigError(
            f"{MODULE} names the module {own!r}, --name names it {asked!r}",
            hint=f"leave --name out, or change {MODULE}",
        )
    return own is not None


def _name_of(directory: str) -> str:
    try:
        return ModuleName.parse(directory)
    except ConfigError as error:
        raise UsageError(
            f"the directory's name cannot be the module's: {error.message}",
            hint=f"give the module's name with --name; {error.hint}",
        ) from None


def _minimal(name: str) -> bytes:
    """The smallest module that can be published, under another name."""
    package = Path(__file__).parent.parent
    inside = package / "minimal" / MODULE
    outside = package.parent / "fixtures" / "modules" / "minimal" / MODULE
    text = (inside if inside.exists() else outside).read_text("utf-8")
    return text.replace("name: minimal", f"name: {name}", 1).encode()


def settings_text(given: Mapping[str, str]) -> str:
    """orchestrator.yaml with every setting as a comment, but for those that are given."""
    lines = [
        f"# yaml-language-server: $schema={SCHEMA}",
        "# Settings of orchestrator. A flag or an environment variable wins over what stands here;",
        "# `orchestrator status` shows where each value comes from.",
    ]
    for option in OPTIONS:
        if option.in_file:
            lines += ["", f"# {option.help}"]
            if option.name in given:
                lines.append(f"{option.name}: {given[option.name]}")
            else:
                lines += [f"# {line}" for line in _example(option)]
    return "\n".join(lines) + "\n"


def _example(option: Option) -> list[str]:
    """A setting with its default, or with something to put in."""
    samples = {
        "ca_file": "/etc/ssl/registry.pem",
        "name": "my-module",
        "repo": "registry.example.io/stages/my-module",
        "source": "registry.example.io/modules",
        "werf_config": "werf.yaml",
    }
    match option.kind:
        case Kind.LIST:
            return [f"{option.name}:", "  - registry.example.io/modules/my-module"]
        case Kind.MAP:
            return [f"{option.name}:", '  NAME: "value"']
        case Kind.FLAG:
            return [f"{option.name}: {str(option.default).lower()}"]
        case _:
            default = samples.get(option.name, "text") if option.default is None else option.default
            return [f"{option.name}: {default}"]


def _ignore(there: Mapping[str, bytes | None]) -> Change:
    """Lines are added behind what is there."""
    if IGNORE not in there:
        return Change(path=IGNORE, action=Action.WRITE, data=_lines(OWN_FILES))
    data = there[IGNORE]
    missing = [] if data is None else _not_ignored(data)
    if data is None or not missing:
        return Change(path=IGNORE, action=Action.KEEP)
    apart = b"" if data.endswith(b"\n") or not data else b"\n"
    return Change(path=IGNORE, action=Action.EXTEND, data=data + apart + _lines(missing))


def _lines(names: tuple[str, ...] | list[str]) -> bytes:
    return "".join(f"/{name}\n" for name in names).encode()


def _not_ignored(data: bytes) -> list[str]:
    there = {line.strip().strip("/") for line in data.decode(errors="replace").splitlines()}
    return [name for name in OWN_FILES if name not in there]


def _advice(there: Mapping[str, bytes | None], own: str | None, *, named: bool) -> Iterator[str]:
    if not named:
        yield f"{MODULE} has no name: add one, or give it with --name"
    if own is not None:
        yield f"{own} is run as it is; orchestrator init --migrate leaves it behind, where it can"
    elif giterminism.FILE in there and not allows_generated(there[giterminism.FILE]):
        yield (
            f"{giterminism.FILE} lacks `allowUncommitted: true` under `config:`; "
            "werf would refuse the generated config"
        )
    if IGNORE in there and there[IGNORE] is None:
        yield f"{IGNORE} is no plain file; see that git ignores {' and '.join(OWN_FILES)}"
    makefile = there.get(MAKEFILE)
    if makefile is not None and b"orchestrator" not in makefile:
        yield f"{MAKEFILE} has no target for it; the command is: orchestrator build"


def allows_generated(data: bytes | None) -> bool:
    """Whether werf-giterminism.yaml lets werf read a config that is not committed."""
    value = yamldoc.load(data or b"", giterminism.FILE).value
    config = value.get("config") if isinstance(value, dict) else None
    return isinstance(config, dict) and config.get("allowUncommitted") is True
