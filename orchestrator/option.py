"""One setting as the table of settings has it."""

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    TEXT = "text"
    WHOLE = "whole number"
    FLAG = "true or false"
    LIST = "list"
    MAP = "map of text"


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
