"""Lists as text: one name a line, columns, and the tree."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.inspection.listing import Branch
from orchestrator.model import Repository

_NAMED: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\\": "\\\\",
}
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def escape(name: str) -> str:
    """The name as GNU tar lists it: what is no text becomes an escape, in octal where it has no other."""
    if name.isascii() and name.isprintable() and "\\" not in name:
        return name
    return "".join(map(_escaped, name))


def _escaped(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    if unicodedata.category(char) in _HIDDEN:
        return "".join(f"\\{byte:03o}" for byte in char.encode(errors="surrogateescape"))
    return char


def lines(names: Iterable[str]) -> str:
    return "".join(f"{escape(name)}\n" for name in names)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Left-aligned columns, two blanks apart; an empty cell is a dash."""
    cells = [list(header), *([escape(cell) or "-" for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        + "\n"
        for row in cells
    )


def tree(source: Repository, branches: Sequence[Branch]) -> str:
    """As Deckhouse's documentation draws a module source."""
    made = [source.registry, f"📁 {source.path}"]
    for branch in branches:
        last = branch is branches[-1]
        made.append(f"{'└─' if last else '├─'} 📁 {escape(branch.name)}")
        bar = "   " if last else "│  "
        inside = [f"📦 {escape(tag)}" for tag in branch.images]
        if branch.releases:
            inside.append("📁 release")
        made += _twigs(inside, bar)
        made += _twigs([f"📝 {escape(tag)}" for tag in branch.releases], f"{bar}   ")
    return "".join(f"{line}\n" for line in made)


def _twigs(names: Sequence[str], bar: str) -> list[str]:
    return [f"{bar}{'└─' if name is names[-1] else '├─'} {name}" for name in names]


def plain(name: str) -> str:
    """A name for JSON: bytes that are no UTF-8 become escapes."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
