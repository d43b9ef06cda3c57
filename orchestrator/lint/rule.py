"""What a rule is, what it finds, and which level it has."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.errors import ConfigError, Finding
from orchestrator.lint.sources import Sources
from orchestrator.schema import Text, suggestion
from orchestrator.verify.finding import Level

OFF = "off"
LEVELS = (OFF, str(Level.WARNING), str(Level.ERROR))
LEVEL_SCHEMA = Text(one_of=LEVELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`level` is the default, None for a rule that is off unless asked for; `fix` says what to do."""

    id: str
    name: str
    level: Level | None = Level.ERROR
    title: str
    fix: str
    check: Callable[[Sources], Iterable[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Defect:
    """What a rule found, where, and what to do."""

    path: str
    line: int
    rule: str
    name: str
    level: Level
    message: str
    fix: str

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path

    def __str__(self) -> str:
        return f"{self.place}: {self.level} [{self.rule} {self.name}] {self.message}"


def levels(
    rules: Sequence[Rule], *chosen: Iterable[tuple[str, str, Finding]]
) -> dict[str, Level | None]:
    """The level of each rule by id; later choices win, and all that is wrong is said at once.

    A choice is a rule's id or name, a level, and where it was made.
    """
    known = {key: rule for rule in rules for key in (rule.id, rule.name)}
    ids = [rule.id for rule in rules]
    made: dict[str, Level | None] = {rule.id: rule.level for rule in rules}
    findings = []
    for key, level, place in (choice for source in chosen for choice in source):
        if key not in known:
            tip = suggestion(key.upper(), ids) or suggestion(key.lower(), known)
            findings.append(Finding(place.origin, place.line, f"there is no rule {key!r}{tip}"))
        elif level not in LEVELS:
            message = f"{key}: {level!r} is none of {', '.join(LEVELS)}{suggestion(level, LEVELS)}"
            findings.append(Finding(place.origin, place.line, message))
        else:
            made[known[key].id] = None if level == OFF else Level(level)
    if findings:
        raise ConfigError("the levels of rules are not right", findings, hint="see docs/lint.md")
    return made


def run(
    rules: Sequence[Rule], sources: Sources, levels: Mapping[str, Level | None]
) -> list[Defect]:
    """Every defect, by file and line."""
    return sorted(
        {
            Defect(
                path=found.origin,
                line=found.line,
                rule=rule.id,
                name=rule.name,
                level=level,
                message=found.message,
                fix=rule.fix,
            )
            for rule in rules
            if (level := levels[rule.id]) is not None
            for found in rule.check(sources)
        }
    )
