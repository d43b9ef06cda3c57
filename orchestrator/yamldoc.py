"""YAML that does not lie: the 1.2 core schema, a line for every path, and findings for what misleads.

Bad text never raises: it ends up in `Document.findings`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from orchestrator.errors import Finding

Path = tuple[str | int, ...]

_NODE_LIMIT: Final = 100_000
# A key and its map with start and end are three events for one value.
_EVENT_LIMIT: Final = 3 * _NODE_LIMIT
_DEPTH_LIMIT: Final = 60
_TAG: Final = "tag:yaml.org,2002:"
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN: Final = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_BOOLEAN_1_1: Final = frozenset(
    word
    for base in ("y", "n", "yes", "no", "on", "off")
    for word in (base, base.capitalize(), base.upper())
)
_WHOLE: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_OCTAL_1_1: Final = re.compile(r"[-+]?0[0-7_]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_SEXAGESIMAL: Final = re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?")
_UNDERSCORED: Final = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*")
# The C parser gives the same nodes and marks several times faster; Debian's wheel may lack it.
_RESOLVER: Final[Any] = yaml.resolver.Resolver()
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Plain values, the 1-based line of each key or item by path, and what is wrong with the text."""

    value: Any
    lines: Mapping[Path, int]
    findings: tuple[Finding, ...]


def load(data: str | bytes, origin: str, *, ambiguous: bool = True) -> Document:
    """One document; several or broken ones give findings, and so do scalars that YAML 1.1 reads

    otherwise, unless `ambiguous` is off.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return _failed(Finding(origin, line, "not UTF-8"))
    try:
        node = _compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = " ".join(filter(None, (error.problem, error.context)))
        return _failed(Finding(origin, mark.line + 1 if mark else 0, f"not YAML: {why}"))
    except (yaml.YAMLError, ValueError) as error:
        return _failed(Finding(origin, 0, f"not YAML: {str(error).splitlines()[0]}"))
    except RecursionError:
        return _failed(Finding(origin, 0, "nested too deeply"))
    reader = _Reader(origin, ambiguous=ambiguous)
    value = None if node is None else reader.value(node, (), 0)
    return Document(value=value, lines=reader.lines, findings=tuple(reader.findings))


def _failed(finding: Finding) -> Document:
    return Document(value=None, lines={}, findings=(finding,))


def _compose(text: str) -> yaml.Node | None:
    _check_bounds(text)
    loader = _LOADER(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
        return node
    finally:
        loader.dispose()


def _check_bounds(text: str) -> None:
    """Events come without recursion: the C parser's nodes do not, and would overflow its stack."""
    loader = _LOADER(text)
    depth = events = 0
    try:
        while (event := loader.get_event()) is not None:
            events += 1
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > _DEPTH_LIMIT:
                raise RecursionError
            if events > _EVENT_LIMIT:
                raise yaml.YAMLError(f"more than {_NODE_LIMIT} values")
    finally:
        loader.dispose()


class _Reader:
    """Builds values from nodes, within bounds, noting lines and findings."""

    def __init__(self, origin: str, *, ambiguous: bool) -> None:
        self._origin = origin
        self._ambiguous = ambiguous
        self._nodes = 0
        self.lines: dict[Path, int] = {}
        self.findings: list[Finding] = []

    def _find(self, node: yaml.Node, message: str) -> None:
        self.findings.append(Finding(self._origin, node.start_mark.line + 1, message))

    def value(self, node: yaml.Node, path: Path, depth: int) -> Any:
        self._nodes += 1
        self.lines.setdefault(path, node.start_mark.line + 1)
        if self._nodes == _NODE_LIMIT:
            self._find(node, f"more than {_NODE_LIMIT} values: aliases that multiply?")
        if self._nodes >= _NODE_LIMIT or depth > _DEPTH_LIMIT:
            if depth > _DEPTH_LIMIT:
                self._find(node, "nested too deeply")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, yaml.SequenceNode):
            if node.tag != f"{_TAG}seq":
                self._find(node, f"the tag {node.tag} is not allowed")
            return [
                self.value(item, (*path, index), depth + 1) for index, item in enumerate(node.value)
            ]
        return self._mapping(node, path, depth)

    def _mapping(self, node: Any, path: Path, depth: int) -> dict[Any, Any]:
        if node.tag != f"{_TAG}map":
            self._find(node, f"the tag {node.tag} is not allowed")
        made: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge" or getattr(key_node, "value", None) == "<<":
                merged.update(self._merge(value_node, path, depth))
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._find(key_node, "a key is not plain text")
                continue
            key = key_node.value
            if key in made:
                first = self.lines[(*path, key)]
                self._find(key_node, f"the key {key!r} stands twice, first in line {first}")
                continue
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            made[key] = self.value(value_node, (*path, key), depth + 1)
        return {**merged, **made}

    def _merge(self, node: Any, path: Path, depth: int) -> dict[Any, Any]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        made: dict[Any, Any] = {}
        for source in reversed(sources):
            if not isinstance(source, yaml.MappingNode):
                self._find(node, "<< takes a map or a list of maps")
                continue
            made.update(self._mapping(source, (*path, "<<", len(self.lines)), depth + 1))
        return made

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text: str = node.value
        # Both parsers resolve tags by YAML 1.1; a tag other than theirs was written by the author.
        if node.style or node.tag == "!":
            return text
        resolved = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
        if node.tag != resolved:
            if node.tag != f"{_TAG}str":
                self._find(node, f"the tag {node.tag} is not allowed")
            return text
        if text in _NULL:
            return None
        if text in _BOOLEAN:
            return _BOOLEAN[text]
        return self._number(node, text)

    def _number(self, node: yaml.ScalarNode, text: str) -> Any:
        misleading = (
            (text in _BOOLEAN_1_1, "a truth value to YAML 1.1 and text to YAML 1.2"),
            (bool(_SEXAGESIMAL.fullmatch(text)), "a number in base 60 to YAML 1.1"),
            (bool(_OCTAL_1_1.fullmatch(text)), "an octal number to YAML 1.1"),
            (bool(_UNDERSCORED.fullmatch(text)), "a number to YAML 1.1"),
        )
        for found, why in misleading:
            if found:
                if self._ambiguous:
                    self._find(node, f"{text} is {why}: quote it, or write what is meant")
                return text
        if _DATE.fullmatch(text):
            return text
        if _WHOLE.fullmatch(text):
            return int(text, 0) if text.startswith(("0o", "0x")) else int(text[:4000])
        if _SPECIAL_FLOAT.fullmatch(text):
            return math.nan if "n" in text.lower()[-3:] and "a" in text.lower() else math.inf
        if _FLOAT.fullmatch(text):
            number = float(text)
            if self._ambiguous and f"{number:.15g}" != text.lstrip("+"):
                self._find(
                    node, f"{text} reads as the number {number:.15g}: quote it to keep the text"
                )
            return number
        return text
