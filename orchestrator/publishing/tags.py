"""The tags of a publication: made from git references by a slug, or given as they are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from orchestrator import slug
from orchestrator.errors import ConfigError, Finding
from orchestrator.model import has_control, parse_tag

SLUGS: Final[Mapping[str, Callable[[str], str]]] = {
    "werf": slug.docker_tag,
    "werf-v1": slug.werf_v1_tag,
}


class Strategy(StrEnum):
    """What a tag stands for, as werf 1.0 names it in a label; in the order of publication."""

    GIT_TAG = "git-tag"
    GIT_BRANCH = "git-branch"
    GIT_COMMIT = "git-commit"
    CUSTOM = "custom"

    @property
    def flag(self) -> str:
        return f"--tag-{self}"

    @property
    def variable(self) -> str:
        return "WERF_TAG_" + self.upper().replace("-", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """What a user asked for, and where."""

    strategy: Strategy
    value: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A legal tag, and what it was made from."""

    strategy: Strategy
    value: str
    tag: str


def requested(
    flags: Mapping[Strategy, Sequence[str]], environ: Mapping[str, str]
) -> list[Parameter]:
    """All parameters in order; flags of a strategy take the place of its variables."""
    found = []
    for strategy in Strategy:
        given = [(strategy.flag, value) for value in flags.get(strategy, ())]
        given = given or [
            (f"${name}", environ[name]) for name in _variables(strategy, environ) if environ[name]
        ]
        found += [Parameter(strategy=strategy, value=v, origin=origin) for origin, v in given]
    return found


def _variables(strategy: Strategy, environ: Mapping[str, str]) -> list[str]:
    name = strategy.variable
    several = f"{name}_" if strategy is Strategy.CUSTOM else None
    return sorted(n for n in environ if n == name or (several and n.startswith(several)))


def make(parameters: Sequence[Parameter], style: str) -> tuple[tuple[Tag, ...], list[Finding]]:
    """The tags, each once, in order, and what is wrong with the parameters; `style` is of SLUGS."""
    findings: list[Finding] = []
    made: dict[str, tuple[Tag, Parameter]] = {}
    for parameter in parameters:
        try:
            tag = _tag(parameter, SLUGS[style])
        except ConfigError as error:
            hint = f"; {error.hint}" if error.hint else ""
            findings.append(Finding(parameter.origin, 0, f"{error.message}{hint}"))
            continue
        there, first = made.setdefault(tag.tag, (tag, parameter))
        if there != tag:
            clash = f"{parameter.value!r} makes the tag {tag.tag}, which {first.origin} makes too"
            findings.append(Finding(parameter.origin, 0, clash))
    return tuple(tag for tag, _ in made.values()), findings


def _tag(parameter: Parameter, slugged: Callable[[str], str]) -> Tag:
    strategy, value = parameter.strategy, parameter.value
    if not value:
        raise ConfigError("it is empty")
    if has_control(value):
        raise ConfigError(f"{value!r} holds a control character, such as a line break")
    text = value if strategy is Strategy.CUSTOM else slugged(value)
    return Tag(strategy=strategy, value=value, tag=parse_tag(text))
