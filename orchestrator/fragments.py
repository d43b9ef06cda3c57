"""What image fragments (werf.inc.yaml) and templates use, told from their text, without running Go.

A fragment is a Go template around YAML: what is looked for are literals. What is computed there
(`env $name`) cannot be seen and is named in the settings.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

_ACTION: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_COMMENT: Final = re.compile(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}", re.DOTALL)
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|`([^`]*)`')
_ENV: Final = re.compile(r'\benv\s+(?:"([^"]+)"|`([^`]+)`)')
_INCLUDE: Final = re.compile(r'\b(?:include|template)\s+(?:"([^"]+)"|`([^`]+)`)')
_DEFINE: Final = re.compile(r'\{\{-?\s*(?:define|block)\s+(?:"([^"]+)"|`([^`]+)`)')
_OF_CONTEXT: Final = re.compile(r"\$\.([A-Za-z_]\w*)")
_MAY_LACK: Final = re.compile(r"\b(?:if|with|hasKey|default|coalesce|empty|get|dig|set)\b")
_SET: Final = re.compile(r'\bset\s+[$.]\s+"([^"]+)"')
_BLOCK: Final = re.compile(r"\{\{-?\s*define\b.*?\{\{-?\s*end\s*-?\}\}", re.DOTALL)
_BARE_DIRECTORY: Final = re.compile(r"\{\{-?\s*\$?\.ModuleDir\s*-?\}\}[ \t]*$", re.MULTILINE)
_FIELD: Final = re.compile(r"\.([A-Za-z_]\w*)")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
_NAMES_IMAGE: Final = re.compile(
    r"^\s*(?:-\s+)?(?:fromImage|from|image|fromArtifact|artifact):(.*)$"
)
_PLAIN: Final = re.compile(r"[\"']?([^\s\"'{}#]+)[\"']?")
_PAIR: Final = re.compile(r"^\s*(?:-\s+)?([A-Za-z]+):\s*(.*?)\s*$")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A file and a line in it, from 1."""

    path: str
    line: int


@dataclass(slots=True)
class Usage:
    """`indexed` are keys that an expression takes from `.Images`; `named` are names of images in YAML.

    `needed` are fields of a fragment's context that it cannot do without; `places` has the first
    place of each name in these three.
    """

    defines: set[str] = field(default_factory=set)
    includes: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    needed: set[str] = field(default_factory=set)
    bare_directory: bool = False
    env: set[str] = field(default_factory=set)
    indexed: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    computed_keys: bool = False
    secret_values: set[str] = field(default_factory=set)
    secret_env: set[str] = field(default_factory=set)
    secret_files: set[str] = field(default_factory=set)
    mount_paths: set[str] = field(default_factory=set)
    context_files: set[str] = field(default_factory=set)
    build_dir: bool = False
    from_latest: bool = False
    git_branch: bool = False
    places: dict[str, Place] = field(default_factory=dict)


def usage(texts: Mapping[str, str]) -> Usage:
    """All that the texts use, path -> text."""
    found = Usage()
    for path, text in sorted(texts.items()):
        _read(path, _COMMENT.sub(_same_lines, text), found)
    return found


def _read(path: str, text: str, found: Usage) -> None:
    found.defines |= _either(_DEFINE, text)
    found.includes |= _either(_INCLUDE, text)
    found.env |= _either(_ENV, text)
    found.bare_directory |= bool(_BARE_DIRECTORY.search(text))
    inside = [(block.start(), block.end()) for block in _BLOCK.finditer(text)]
    own = set(_SET.findall(text))
    for action in _ACTION.finditer(text):
        bare = _STRING.sub('""', action[0])
        found.fields |= set(_FIELD.findall(bare))
        here = Place(path, text.count("\n", 0, action.start()) + 1)
        # In a named template `$` is what that was given.
        named = any(start <= action.start() < end for start, end in inside)
        if not named and not _MAY_LACK.search(bare):
            _note(found.needed, set(_OF_CONTEXT.findall(bare)) - own, here, found)
        if ".Images" in action[0]:
            keys = _literals(action[0])
            if "printf" in action[0] or not keys:
                found.computed_keys = True
            else:
                _note(found.indexed, keys, here, found)
    for number, line_text in enumerate(text.splitlines(), start=1):
        if ".Images" not in line_text and (value := _NAMES_IMAGE.match(line_text)):
            _note(found.named, _names(value[1]), Place(path, number), found)
    _yaml(text, found)


def _note(kind: set[str], names: Iterable[str], place: Place, found: Usage) -> None:
    for name in names:
        kind.add(name)
        found.places.setdefault(name, place)


def _names(value: str) -> set[str]:
    """A plain name, or the strings of the actions that choose one."""
    plain = _PLAIN.fullmatch(value.partition(" #")[0].strip())
    if plain:
        return {plain[1]}
    return {name for action in _ACTION.findall(value) for name in _literals(action)}


def _literals(action: str) -> set[str]:
    """Strings that can be names of images, so not the `false` that a setting is compared to."""
    strings = {first or second for first, second in _STRING.findall(action)}
    return {each for each in strings if _TOKEN.fullmatch(each)} - {"true", "false"}


def _yaml(text: str, found: Usage) -> None:
    """Lists that giterminism has a word on; their items are flat, so lines tell enough."""
    for key, items in _lists(text):
        for item in items:
            match key:
                case "secrets":
                    _secret(item, found)
                case "mount":
                    found.build_dir |= item.get("from") == "build_dir"
                    if "fromPath" in item:
                        found.mount_paths.add(item["fromPath"])
                case "contextAddFiles" if item.get(""):
                    found.context_files.add(item[""])
                case "git" if "url" in item and not item.keys() & {"tag", "commit"}:
                    # A remote without either is read at a branch, master by default.
                    found.git_branch = True
                case _:
                    pass
    found.from_latest |= bool(re.search(r"^fromLatest:\s*true\b", text, re.MULTILINE))


def _secret(item: Mapping[str, str], found: Usage) -> None:
    if "env" in item:
        found.secret_env.add(item["env"])
    elif "src" in item:
        found.secret_files.add(item["src"])
    elif "value" in item and "{{" not in item.get("id", "{{"):
        found.secret_values.add(item["id"])


def _lists(text: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Top-level `key:` with its list of flat maps (a plain item has the key '')."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        head = re.match(r"^(secrets|mount|contextAddFiles|git):\s*$", line)
        if head is None:
            continue
        items: list[dict[str, str]] = []
        for below in lines[number + 1 :]:
            bare = below.strip()
            if not bare or bare.startswith(("#", "{{")):
                continue
            if not below.startswith((" ", "-")) or bare == "---":
                break
            if bare.startswith("- "):
                items.append({})
            if items:
                _add(bare, items[-1])
        yield head[1], items


def _add(bare: str, item: dict[str, str]) -> None:
    pair = _PAIR.match(bare)
    if pair:
        item.setdefault(pair[1], pair[2].strip("\"'"))
    elif bare.startswith("- "):
        item.setdefault("", bare[2:].strip().strip("\"'"))


def _either(pattern: re.Pattern[str], text: str) -> set[str]:
    return {first or second for first, second in pattern.findall(text)}


def _same_lines(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")
