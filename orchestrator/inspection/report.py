"""A diff as text, as Markdown for release notes, and as JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from orchestrator.inspection.diff import Change, Diff
from orchestrator.inspection.show import escape, plain

SCHEMA: Final = 1
_MARKS: Final = {"added": "+", "removed": "-", "unknown": "?"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    kind: str
    name: str
    detail: str = ""
    breaking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    title: str
    lines: Sequence[_Line]


def _sections(diff: Diff) -> Iterator[_Section]:
    """Those that have something to say, most telling first."""
    for title, several in (("Settings", diff.settings), ("Internal values", diff.values)):
        lines = [
            _Line(kind=each.kind, name=each.path, detail=each.detail, breaking=each.breaking)
            for each in several
        ]
        yield _Section(title=title, lines=lines)
    lines = [
        _Line(kind=each.kind, name=each.name, detail=each.detail, breaking=each.breaking)
        for each in diff.crds
    ]
    yield _Section(title="Custom resources", lines=lines)
    lines = [
        _Line(kind="changed", name=each.path, detail=f"{_json(each.before)} -> {_json(each.after)}")
        for each in diff.module
    ]
    yield _Section(title="module.yaml", lines=lines)
    yield _Section(title="Images", lines=[_line(each) for each in diff.images])
    yield _Section(title="Hooks", lines=[_line(each) for each in diff.hooks])
    others = [each for each in diff.files if each not in diff.hooks]
    yield _Section(title="Files", lines=[_line(each) for each in others])


def _line(change: Change) -> _Line:
    sizes = [_size(size) for size in (change.before, change.after) if size is not None]
    detail = " -> ".join(dict.fromkeys(sizes))
    if change.kind == "rebuilt":
        detail = f"rebuilt, {detail}" if detail else "rebuilt"
    if change.kind == "unknown":
        detail = "by name only: what a build makes of it is not known yet"
    return _Line(kind=change.kind, name=change.name, detail=detail)


def _json(value: Any) -> str:
    if value is None:
        return "none"
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def as_text(diff: Diff) -> str:
    made = [f"{diff.before} -> {diff.after}"]
    for section in _sections(diff):
        if section.lines:
            made.append(section.title)
        for line in section.lines:
            detail = f": {escape(line.detail)}" if line.detail else ""
            breaking = "  BREAKING" if line.breaking else ""
            made.append(f"  {_MARKS.get(line.kind, '~')} {escape(line.name)}{detail}{breaking}")
    made += [f"  conversion {escape(path)}: {_COVERED}" for path in diff.conversions]
    if diff.differs:
        made.append(f"Size of all files\n  {_size(diff.sizes[0])} -> {_size(diff.sizes[1])}")
    else:
        made.append("no difference")
    return "".join(f"{line}\n" for line in made)


_COVERED: Final = "see that it converts what is marked as breaking"


def as_markdown(diff: Diff) -> str:
    """Headings and lists; what breaks comes first, and no digest is named."""
    sections = list(_sections(diff))
    broken = [line for section in sections for line in section.lines if line.breaking]
    if broken:
        sections.insert(0, _Section(title="Breaking changes", lines=broken))
    made = [f"## Changes from {diff.before} to {diff.after}", ""]
    for section in sections:
        if section.lines:
            made += [f"### {section.title}", "", *map(_item, section.lines), ""]
    if not diff.differs:
        made += ["Nothing changed.", ""]
    return "\n".join(made)


def _item(line: _Line) -> str:
    name = escape(line.name).replace("`", "'")
    said = (
        line.detail if line.kind == "rebuilt" else ", ".join(filter(None, (line.kind, line.detail)))
    )
    breaking = "**BREAKING** " if line.breaking else ""
    return f"- {breaking}`{name}`: {_quiet(escape(said))}"


def _quiet(text: str) -> str:
    """Markdown's own signs stay text."""
    return "".join(f"\\{char}" if char in "*_`<[|#" else char for char in text)


def as_json(diff: Diff) -> dict[str, Any]:
    value = asdict(diff)
    before, after = value.pop("sizes")
    plain_value: dict[str, Any] = _plain(value)
    return {
        "schema": SCHEMA,
        "differs": diff.differs,
        "breaking": diff.breaks,
        "sizes": {"before": before, "after": after},
        **plain_value,
    }


def _plain(value: Any) -> Any:
    """The value with texts that JSON can hold."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return plain(value) if isinstance(value, str) else value
