"""Patterns of .dockerignore: which files of a context the builder never sees.

Source: Docker's build context documentation; Go's filepath.Match plus `**` and `!`.
"""

import posixpath
import re
from collections.abc import Callable


def ignored(text: str) -> Callable[[str], bool]:
    """Whether a path below the context is left out; the last pattern that matches decides."""
    rules: list[tuple[bool, re.Pattern[str]]] = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        keep = line.startswith("!")
        pattern = posixpath.normpath(line.removeprefix("!").strip()).strip("/")
        if pattern != ".":
            rules.append((keep, _compiled(pattern)))

    def left_out(path: str) -> bool:
        out = False
        for keep, pattern in rules:
            if pattern.fullmatch(path):
                out = not keep
        return out

    return left_out


def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern also covers everything below what it names."""
    made = []
    position = 0
    while position < len(pattern):
        if pattern.startswith("**/", position):
            made.append("(?:.*/)?")
            position += 3
        elif pattern.startswith("**", position):
            made.append(".*")
            position += 2
        elif pattern[position] == "*":
            made.append("[^/]*")
            position += 1
        elif pattern[position] == "?":
            made.append("[^/]")
            position += 1
        elif pattern[position] == "[" and (
            found := re.compile(r"\[(\^?)((?:\\.|[^]\\])+)\]").match(pattern, position)
        ):
            made.append(f"[{found[1]}{found[2]}]")
            position = found.end()
        else:
            if pattern[position] == "\\" and position + 1 < len(pattern):
                position += 1
            made.append(re.escape(pattern[position]))
            position += 1
    try:
        return re.compile("".join(made) + "(?:/.*)?", re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern) + "(?:/.*)?", re.DOTALL)
