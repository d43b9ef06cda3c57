"""What a Dockerfile takes from outside its context: base images, and whether they are pinned.

Source: the Dockerfile reference (FROM, ARG, COPY --from, ADD, RUN --mount).
"""

import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from orchestrator import yamldoc
from orchestrator.templating import ESCAPED, documents, unescape

_DIGEST: Final = re.compile(r"@sha256:[0-9a-f]{64}$")
_VARIABLE: Final = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::?([-+])([^}]*))?\}|([A-Za-z_]\w*))")
_FROM_FLAG: Final = re.compile(r"--from=(\S+)")
_MOUNT: Final = re.compile(r"--mount=(\S+)")
_REMOTE: Final = re.compile(r"(https?|ftp)://|git@|\.git(#|$)")
_DIRECTIVE: Final = re.compile(r"#\s*([A-Za-z]+)\s*=\s*(\S+)\s*")
_HEREDOC: Final = re.compile(r"(?:^|\s)\d*<<-?([\"']?)([A-Za-z_]\w*)\1(?=\s|$)")
# What builders set themselves; images are built for one platform.
_PLATFORM_ARGS: Final = {
    f"{side}{part}": value
    for side in ("BUILD", "TARGET")
    for part, value in (
        ("PLATFORM", "linux/amd64"),
        ("OS", "linux"),
        ("ARCH", "amd64"),
        ("VARIANT", ""),
    )
}


class Files(Protocol):
    """What is read of a git tree."""

    def paths(self) -> Iterable[str]: ...
    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction with its continuation lines joined; `line` counts from 1."""

    name: str
    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """An image or another source from outside, the line that names it, and the word there.

    `image` tells the images that a builder pulls from the rest: frontends, URLs, secrets.
    """

    name: str
    line: int
    word: str
    image: bool = False

    @property
    def pinned(self) -> bool:
        return bool(_DIGEST.search(self.name))


def instructions(text: str) -> list[Instruction]:
    """The instructions in order; comments and heredoc bodies are left out."""
    escape = _directives(text).get("escape", ("\\", 0))[0]
    made: list[Instruction] = []
    pending: list[str] = []
    start = 0
    heredoc: str | None = None
    for number, raw in enumerate(text.split("\n"), start=1):
        if heredoc is not None:
            heredoc = None if raw.strip() == heredoc else heredoc
            continue
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        start = start if pending else number
        if line.endswith(escape):
            pending.append(line[:-1])
            continue
        joined = " ".join([*pending, line])
        pending = []
        name, _, rest = joined.partition(" ")
        made.append(Instruction(name=name.upper(), text=rest.strip(), line=start))
        if name.upper() in {"RUN", "COPY", "ADD"} and (found := _HEREDOC.search(rest)):
            heredoc = found[2]
    return made


def _directives(text: str) -> dict[str, tuple[str, int]]:
    """Parser directives, name -> value and line: the comments of that form at the very top."""
    found = {}
    for number, line in enumerate(text.split("\n"), start=1):
        directive = _DIRECTIVE.fullmatch(line.strip())
        if directive is None:
            break
        found[directive[1].lower()] = (directive[2], number)
    return found


def externals(text: str, args: Mapping[str, str]) -> list[External]:
    """Base images and remote sources, with build arguments put in; stages and scratch left out."""
    found: list[External] = []
    stages: set[str] = set()
    values: dict[str, str] = dict(_PLATFORM_ARGS)
    if syntax := _directives(text).get("syntax"):
        found.append(External(name=syntax[0], line=syntax[1], word=syntax[0]))
    number = 0
    for each in instructions(text):
        if each.name == "ARG" and number == 0:
            for name, default in _defaults(each.text):
                values[name] = args.get(name, _expand(default, values) or values.get(name, ""))
        elif each.name == "FROM":
            words = [word for word in each.text.split() if not word.startswith("--")] or [""]
            base = _expand(words[0], values)
            if base.lower() not in stages and base.lower() != "scratch":
                found.append(External(name=base, line=each.line, word=words[0], image=True))
            stages.add(str(number))
            number += 1
            if len(words) == 3 and words[1].upper() == "AS":
                stages.add(words[2].lower())
        else:
            found += _sources(each, stages, values)
    return found


def _defaults(text: str) -> list[tuple[str, str]]:
    """Names and defaults of an ARG instruction; a name without one has an empty text."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return [(name, default) for name, _, default in (word.partition("=") for word in words)]


def _sources(each: Instruction, stages: set[str], values: Mapping[str, str]) -> list[External]:
    names: list[str] = []
    if each.name in {"COPY", "ADD"}:
        names += _FROM_FLAG.findall(each.text)
    if each.name == "RUN":
        for mount in _MOUNT.findall(each.text):
            names += re.findall(r"(?:^|,)from=([^,]+)", mount)
    found = [
        External(name=_expand(name, values), line=each.line, word=name, image=True)
        for name in names
        if name.lower() not in stages
    ]
    if each.name == "ADD" and "--checksum=" not in each.text:
        found += [
            External(name=word, line=each.line, word=word)
            for word in each.text.split()
            if _REMOTE.search(word)
        ]
    if each.name == "RUN" and re.search(r"--mount=\S*type=(ssh|secret)", each.text):
        found.append(External(name="a secret or an SSH key", line=each.line, word=""))
    return found


def renamed(text: str, names: Mapping[External, str]) -> str:
    """The Dockerfile with other names for what it takes from outside."""
    lines = text.split("\n")
    for external, name in names.items():
        word = re.compile(rf"(?:(?<=\s)|(?<=from=)){re.escape(external.word)}(?=[\s,]|$)")
        # An instruction may go on for some lines; its words are not split.
        for number in range(external.line - 1, len(lines)):
            comment = lines[number].lstrip().startswith("#")
            if not comment and (found := word.search(lines[number])):
                lines[number] = lines[number][: found.start()] + name + lines[number][found.end() :]
                break
    return "\n".join(lines)


def _expand(text: str, values: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        known = values.get(found[1] or found[4], "")
        if found[2] == "-":
            return known or found[3]
        if found[2] == "+":
            return found[3] if known else ""
        return known

    return _VARIABLE.sub(value, text)


def image_documents(config: str) -> list[dict[str, Any]]:
    """The image documents of a rendered config that are plain YAML; Go templates are left out."""
    found = []
    for text in documents(config):
        if needs_werf(text):
            continue
        value = yamldoc.load(unescape(text), "werf.yaml", ambiguous=False).value
        if isinstance(value, dict) and "image" in value:
            found.append(value)
    return found


def needs_werf(document: str) -> bool:
    """Whether a document has template actions beyond the escape of `{{` itself."""
    return "{{" in document.replace(ESCAPED, "")


def context_of(document: Mapping[str, Any]) -> str:
    """The context directory of an image document in the module; "." is the module itself."""
    return posixpath.normpath(str(document.get("context") or "."))


def path_of(document: Mapping[str, Any]) -> str:
    """Where the Dockerfile of an image document lies in the module."""
    dockerfile = str(document.get("dockerfile", "Dockerfile"))
    return posixpath.normpath(posixpath.join(context_of(document), dockerfile))


def unpinned(config: str, tree: Files) -> str | None:
    """The first input of a build that may change without a trace in git; None where there is none.

    What a RUN fetches from the network cannot be seen; it counts as the author's own risk, as it
    does in every builder's cache.
    """
    if any(map(needs_werf, documents(config))):
        return "fragments may read anything, so werf has to look"
    described = image_documents(config)
    if any("dockerfile" not in document for document in described):
        return "images that only werf can judge"
    there = set(tree.paths())
    paths = [path_of(document) for document in described]
    texts = tree.read_all([path for path in dict.fromkeys(paths) if path in there])
    for document, path in zip(described, paths, strict=True):
        args = {str(k): str(v) for k, v in (document.get("args") or {}).items()}
        for external in externals(texts.get(path, b"").decode(errors="replace"), args):
            if not external.pinned:
                return f"{path}:{external.line}: {external.name} has no digest"
    return None
