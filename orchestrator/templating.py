"""The werf config of a module as text: Jinja2 in, Go template syntax and plain YAML out."""

import json
import re
from pathlib import Path
from typing import Any, Final

from orchestrator.model import escape_control

ESCAPED: Final = '{{ "{{" }}'
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
# Readers of YAML 1.1 take these for something else than text.
_YAML_WORDS: Final = frozenset("y n yes no on off true false null none".split())
_SEPARATOR: Final = re.compile(r"^---[ \t]*(?:#.*)?$", re.MULTILINE)
# An action with its first word; strings and comments may hold braces.
_ACTION: Final = re.compile(
    r"""
    \{\{-?\s*
    (?: /\*.*?\*/
      | ([a-z]*) (?: "(?:[^"\\]|\\.)*" | `[^`]*` | [^}"`] | \}(?!\}) )*
    )
    \s*-?\}\}
    """,
    re.DOTALL | re.VERBOSE,
)
_NAMED: Final = re.compile(r'\{\{-?\s*define\s+(?:"([^"]+)"|`([^`]+)`)')
_OPENS: Final = frozenset({"if", "range", "with", "define", "block"})


def template_path(name: str) -> Path:
    """Where a template lies: inside the installed package, or beside it in the source tree."""
    package = Path(__file__).parent
    inside = package / "templates" / name
    return inside if inside.exists() else package.parent / "templates" / name


def scalar(text: str) -> str:
    """A YAML scalar that reads back as this text after werf has run it through its templates."""
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return _quote(text).replace("{{", ESCAPED)


def unescape(text: str) -> str:
    """What werf's templates make of plain YAML that `scalar()` escaped."""
    return text.replace(ESCAPED, "{{")


def go_string(text: str) -> str:
    """A Go string literal inside a template action."""
    return _quote(text)


def _quote(text: str) -> str:
    return escape_control(json.dumps(text, ensure_ascii=False))


def template_text(name: str) -> str:
    """A template of ours."""
    return template_path(name).read_text("utf-8")


def render(name: str, **values: Any) -> str:
    """A template of ours, filled in; a name that it uses and is not given is our bug."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  the output is YAML, escaped by our own filters
    )
    environment.filters.update(scalar=scalar, go=go_string)
    return environment.from_string(template_text(name)).render(**values)


def blocks(text: str) -> dict[str, str]:
    """The named templates that a Go template defines: name -> its text from `define` to `end`."""
    found: dict[str, str] = {}
    name, start, depth = "", 0, 0
    for action in _ACTION.finditer(text):
        word = action[1]
        if depth == 0:
            if word == "define" and (named := _NAMED.match(text, action.start())):
                name, start, depth = named[1] or named[2], action.start(), 1
        elif word in _OPENS:
            depth += 1
        elif word == "end":
            depth -= 1
            if depth == 0:
                found[name] = text[start : action.end()]
    return found


def documents(config: str) -> list[str]:
    """The documents of a werf config, split as werf does: textually, on `---` lines."""
    return [part.strip("\n") for part in _SEPARATOR.split(config) if part.strip()]
