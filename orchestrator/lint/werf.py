"""Which images a werf config declares and uses, read as text: Go templates are not run.

What only werf can know becomes `*` in a name, and a name with `*` may be any that fits.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from orchestrator.artifacts import image_key
from orchestrator.module import ImageKind, ImageSource

_COMMENT: Final = re.compile(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}", re.DOTALL)
_ACTION: Final = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_FIELD: Final = re.compile(r"\$?\w*(?:\.\w+)*\.(\w+)(?:\s*\|\s*quote)?")
_TERNARY: Final = re.compile(r'ternary\s+"([^"]*)"\s+"([^"]*)"')
_TOP: Final = re.compile(r"([A-Za-z]+):(.*)")
_IMPORTED: Final = re.compile(r"\s*-\s+(image|artifact):\s*(\S.*)")
_GLOB: Final = re.compile(r"werf\.inc\.yaml")


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """An image name, with `*` for what is not known."""

    text: str

    @property
    def exact(self) -> bool:
        return "*" not in self.text

    def may_be(self, name: str) -> bool:
        return re.fullmatch(".*".join(map(re.escape, self.text.split("*"))), name) is not None

    def may_have_key(self, key: str) -> bool:
        """Whether the image may have this key in images_digests.json."""
        if self.exact:
            return image_key(self.text) == key
        known = self.text.rpartition("/")[2].partition("*")[0].rstrip("-_")
        return key.startswith(image_key(known)) if known else True


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A name that a document asks for by `fromImage`, `import` or `dependencies`."""

    path: str
    line: int
    how: str
    name: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A document; `final` is None where a template decides, `directory` that of its fragment.

    `start` is the line of the first line of `body`.
    """

    path: str
    line: int
    name: Name
    final: bool | None
    artifact: bool
    directory: str | None
    start: int = 0
    body: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that is declared and used; `base` are names out of a map of base images."""

    images: Sequence[Image]
    uses: Sequence[Use]
    texts: Mapping[str, str] = field(repr=False)
    base: frozenset[str] | None

    def declares(self, name: str) -> bool:
        return any(image.name.may_be(name) for image in self.images)

    def image(self, name: str) -> Image | None:
        return next((image for image in self.images if image.name.text == name), None)


@dataclass(slots=True)
class _Document:
    start: int = 1
    declared: list[tuple[int, str, str]] = field(default_factory=list)
    final: str | None = None
    uses: list[tuple[int, str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def read_config(
    texts: Mapping[str, str],
    *,
    images: Sequence[ImageSource],
    module_name: str,
    own: bool,
    base_keys: frozenset[str] | None,
) -> Config:
    """The images of a module; `own` says that it has a werf.yaml, and that is what werf reads."""
    root = {path: text for path, text in texts.items() if not path.startswith("images/")}
    if own and not any(_GLOB.search(text) for text in root.values()):
        texts = root
    elif not own:
        texts = {path: text for path, text in texts.items() if path not in root}
    plain = [image for image in images if image.kind is ImageKind.DOCKERFILE]
    declared: list[Image] = []
    uses: list[Use] = []
    for path, text in sorted(texts.items()):
        directory = path.rpartition("/")[0] if path.startswith("images/") else None
        names = [path.split("/")[1]] if directory else [image.name for image in plain]
        for document in _documents(text):
            declared += _declared(document, path, directory, names, module_name, base_keys)
            uses += _uses(document, path, names if directory else [], module_name)
    if not own:
        declared += [
            Image(
                path=f"{image.directory}/Dockerfile",
                line=0,
                name=Name(image.name),
                final=True,
                artifact=False,
                directory=image.directory,
            )
            for image in plain
        ]
    return Config(images=tuple(declared), uses=tuple(uses), texts=texts, base=base_keys)


def items(image: Image, section: str) -> Iterator[tuple[int, list[str]]]:
    """Line and lines of each item in a list at the top of a document."""
    lines = image.body.split("\n")
    for start in (n for n, line in enumerate(lines) if re.match(rf"{section}:\s*$", line)):
        below = range(start + 1, len(lines))
        end = next((n for n in below if re.match(r"\w", lines[n])), len(lines))
        dashes = [n for n in range(start + 1, end) if re.match(r"\s*- ", lines[n])]
        # Lists inside of an item are indented further than the items.
        least = min((_indent(lines[n]) for n in dashes), default=0)
        heads = [*(n for n in dashes if _indent(lines[n]) == least), end]
        for first, last in pairwise(heads):
            yield image.start + first, lines[first:last]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def without_comments(text: str) -> str:
    """The text without comments of Go templates and of YAML; lines keep their numbers."""
    bare = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)
    return "\n".join("" if line.lstrip().startswith("#") else line for line in bare.split("\n"))


def _documents(text: str) -> Iterator[_Document]:
    document = _Document()
    section = ""
    for number, line in enumerate(without_comments(text).split("\n"), 1):
        if re.fullmatch(r"---[ \t]*", line):
            yield document
            document, section = _Document(start=number + 1), ""
            continue
        document.lines.append(line)
        if top := _TOP.match(line):
            section, value = top[1], _scalar(top[2])
            if section in {"image", "artifact"} and value:
                document.declared.append((number, section, value))
            elif section == "fromImage" and value:
                document.uses.append((number, section, value))
            elif section == "final":
                document.final = value
        elif section in {"import", "dependencies"} and (found := _IMPORTED.match(line)):
            document.uses.append((number, section, _scalar(found[2])))
    yield document


def _scalar(text: str) -> str:
    bare = re.sub(r"\s+#.*", "", text).strip()
    return bare[1:-1] if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'" else bare


def _declared(
    document: _Document,
    path: str,
    directory: str | None,
    names: Sequence[str],
    module_name: str,
    base_keys: frozenset[str] | None,
) -> Iterator[Image]:
    final = {None: True, "true": True, "false": False}.get(document.final)
    for line, kind, value in document.declared:
        found = list(_resolved(value, names, module_name))
        if found == [Name("*")] and final is False and base_keys is not None:
            # A loop over the map of base images.
            found = [Name(key) for key in sorted(base_keys)]
        for name in found:
            yield Image(
                path=path,
                line=line,
                name=name,
                final=False if kind == "artifact" else final,
                artifact=kind == "artifact",
                directory=directory,
                start=document.start,
                body="\n".join(document.lines),
            )


def _uses(document: _Document, path: str, names: Sequence[str], module_name: str) -> Iterator[Use]:
    for line, how, value in document.uses:
        for name in _resolved(value, names, module_name):
            yield Use(path=path, line=line, how=how, name=name)


def _resolved(value: str, names: Sequence[str], module_name: str) -> Iterable[Name]:
    """The names that a value can have; ImageName stands for each directory in `names`."""
    if choice := _TERNARY.search(value):
        return [Name(choice[1]), Name(choice[2])]
    if "ImageName" in value and "$ImageName" not in value and "$imageName" not in value:
        return [Name(_filled(value, name, module_name)) for name in names]
    return [Name(_filled(value, "*", module_name))]


def _filled(value: str, image: str, module_name: str) -> str:
    known = {"ImageName": image, "ModuleNamePrefix": "", "ModuleName": module_name or "*"}

    def fill(action: re.Match[str]) -> str:
        found = _FIELD.fullmatch(action[1])
        return known.get(found[1], "*") if found else "*"

    return re.sub(r"\*+", "*", _ACTION.sub(fill, value))
