"""A module as its git tree describes it: module.yaml, images/, and files that have to agree.

Source of the rules: DKP's module structure and what its controller and dmt accept.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, Protocol

from orchestrator import yamldoc
from orchestrator.artifacts import bundle_paths, image_key, image_keys
from orchestrator.errors import ConfigError, Finding
from orchestrator.model import ModuleName, has_control
from orchestrator.schema import (
    AnyOf,
    Flag,
    ListOf,
    MapOf,
    Record,
    Schema,
    Text,
    Whole,
    check,
    suggestion,
)
from orchestrator.shape import Shape

FILE: Final = "module.yaml"

_USUAL: Final = Shape()
_COUNTS: Final = {"fragment": "werf.inc.yaml", "dockerfile": "Dockerfile"}

_IMAGE_FILE: Final = re.compile(r"images/([^/]+)/(Dockerfile|werf\.inc\.yaml)")
_IMAGE_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")
_IMAGE_ASKED: Final = re.compile(
    r'helm_lib_module_image(?:_no_fail|_digest|_digest_no_fail)?"?\s+\(list\s+[.$]\S*\s+"([^"]+)"\s*\)'
)
_TERM: Final = re.compile(
    r"(?:=|!=|>|<|>=|=>|<=|=<|~|~>|\^)?\s*v?(?:\d+|[xX*])(?:\.(?:\d+|[xX*])){0,2}"
    r"(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
)
_HYPHEN_RANGE: Final = re.compile(r"\s+-\s+")
_STEP: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)(\.(0|[1-9]\d*))?")
_EDITIONS: Final = (
    "ce",
    "be",
    "se",
    "se-plus",
    "ee",
    "fe",
    "cse",
    "cse-lite",
    "cse-pro",
    "_default",
)


class Tree(Protocol):
    """Files of a module by path; git.Tree is one."""

    def paths(self) -> Sequence[str]: ...
    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]: ...
    def is_symlink(self, path: str) -> bool: ...


class ImageKind(Enum):
    DOCKERFILE = "Dockerfile"
    STAPEL = "werf.inc.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """A directory below images/; a fragment names its own images, so it has no key here."""

    name: str
    directory: str
    kind: ImageKind
    key: str | None = None

    @property
    def file(self) -> str:
        return f"{self.directory}/{self.kind.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    name: ModuleName
    definition: Mapping[str, Any]
    images: tuple[ImageSource, ...]


class Check(Enum):
    """What the findings of `examine()` are about."""

    PATHS = "paths"
    DEFINITION = "definition"
    NAME = "name"
    IMAGES = "images"
    KEYS = "keys"
    FILES = "files"
    TEMPLATES = "templates"


# What the module's own werf config says otherwise, where that is adopted.
_OF_GENERATED: Final = frozenset({Check.PATHS, Check.IMAGES, Check.KEYS, Check.TEMPLATES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A module so far as it could be read, and what is wrong with it."""

    module: Module
    findings: Mapping[Check, Sequence[Finding]]


def _constraint(text: str) -> str | None:
    """Whether Masterminds/semver takes a constraint, with DKP's `!optional` behind it."""
    bare = text.removesuffix("!optional").strip()
    for alternative in bare.split("||"):
        terms = _HYPHEN_RANGE.split(alternative.strip())
        for term in terms if len(terms) == 2 else re.split(r"\s*,\s*|\s+(?=[<>=!~^])", terms[0]):
            if not _TERM.fullmatch(term.strip()):
                return f"{text!r} is not a version constraint such as '>= 1.68'"
    return None


_CONSTRAINT: Final = Text(rule=_constraint)
_LANGUAGES: Final = MapOf(Text())
FIELDS: Final[Mapping[str, Schema]] = {
    "accessibility": Record(
        {
            "editions": Record(
                {
                    edition: Record(
                        {
                            "available": Flag(),
                            "enabledInBundles": ListOf(
                                Text(one_of=("Minimal", "Managed", "Default"))
                            ),
                        }
                    )
                    for edition in _EDITIONS
                }
            )
        }
    ),
    "critical": Flag(),
    "description": Text(),
    "descriptions": _LANGUAGES,
    "disable": Record({"confirmation": Flag(), "message": Text(), "messages": _LANGUAGES}),
    "exclusiveGroup": Text(),
    "name": Text(),
    "namespace": Text(
        pattern=re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"), like="a namespace name"
    ),
    "requirements": Record(
        {
            "bootstrapped": AnyOf((Flag(), Text(one_of=("true", "false")))),
            "deckhouse": _CONSTRAINT,
            "kubernetes": _CONSTRAINT,
            "modules": MapOf(_CONSTRAINT),
        }
    ),
    # The last two are not documented, but public modules have them.
    "stage": Text(
        one_of=("Experimental", "Preview", "General Availability", "Deprecated", "Sandbox", "PMI")
    ),
    "subsystems": ListOf(Text()),
    "tags": ListOf(
        Text(
            pattern=re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"),
            like="fit for a label (letters, digits, _ . -, at most 63)",
        )
    ),
    "update": Record(
        {
            "versions": ListOf(
                Record(
                    {
                        "from": Text(pattern=_STEP, like="X.Y or X.Y.Z"),
                        "to": Text(pattern=_STEP, like="X.Y or X.Y.Z"),
                    },
                    required=frozenset({"from", "to"}),
                )
            )
        }
    ),
    "weight": Whole(minimum=0, maximum=2**32 - 1),
}


def load(
    tree: Tree, *, name: str | None = None, shape: Shape = _USUAL, adopted: bool = False
) -> Module:
    """The module of a tree; raises ConfigError with every finding in all of its files.

    Where its own werf config is adopted, that alone says which images there are and what they hold.
    """
    examined = examine(tree, name=name, shape=shape)
    checks = set(Check) - (_OF_GENERATED if adopted else set())
    findings = {finding for check in checks for finding in examined.findings[check]}
    if FILE not in tree.paths():
        close = misspelled(tree.paths())
        raise ConfigError(
            "there is no module.yaml in the module's directory"
            + (f", only {close}: rename it" if close else ""),
            examined.findings[Check.PATHS],
            hint="give the module's directory with -C, and commit module.yaml",
        )
    if findings:
        raise ConfigError("the module is not right", sorted(findings))
    return replace(examined.module, images=()) if adopted else examined.module


def misspelled(paths: Iterable[str]) -> str | None:
    """The file that seems to be meant as module.yaml."""
    return next((path for path in ("modules.yaml", "module.yml") if path in set(paths)), None)


def examine(tree: Tree, *, name: str | None = None, shape: Shape = _USUAL) -> Examined:
    """All that can be said about a module; never raises for what is in its files."""
    paths = tree.paths()
    found: dict[Check, list[Finding]] = {check: [] for check in Check}
    found[Check.PATHS] = bad_paths(tree)
    texts = tree.read_all([path for path in paths if _is_read(path) and not tree.is_symlink(path)])
    definition = _definition(texts.get(FILE, b"{}"), found[Check.DEFINITION])
    module_name = _name(definition, name, found[Check.NAME])
    images = _images(paths, shape, found[Check.IMAGES], found[Check.KEYS])
    _agree(texts, module_name, found[Check.NAME], found[Check.FILES])
    _templates(texts, images, paths, found[Check.TEMPLATES])
    module = Module(name=ModuleName(module_name), definition=definition, images=images)
    return Examined(module=module, findings=found)


def _is_read(path: str) -> bool:
    if path in {FILE, "Chart.yaml", "oss.yaml", "values.yaml"} or path.startswith("templates/"):
        return True
    return path.startswith("openapi/") and path.count("/") == 1 and path.endswith(".yaml")


def bad_paths(tree: Tree) -> list[Finding]:
    """DKP refuses a module image for one such name, or drops the file without a word."""
    findings = []
    for path in bundle_paths(tree.paths()):
        if ".." in path:
            findings.append(Finding(path, 0, "DKP refuses any name with .. in it: rename it"))
        elif has_control(path):
            findings.append(Finding(repr(path), 0, "a name with a control character: rename it"))
        elif tree.is_symlink(path):
            findings.append(Finding(path, 0, "DKP drops symlinks: replace it by the file itself"))
    return findings


def _definition(data: bytes, findings: list[Finding]) -> Mapping[str, Any]:
    document = yamldoc.load(data, FILE)
    findings.extend(document.findings)
    if document.value is None and document.findings:
        return {}
    findings.extend(check(Record(FIELDS), document, FILE))
    if not isinstance(document.value, dict):
        return {}
    _weight(document, findings)
    _updates(document, findings)
    return document.value


def _weight(document: yamldoc.Document, findings: list[Finding]) -> None:
    if document.value.get("critical") is True and not document.value.get("weight"):
        line = document.lines.get(("critical",), 0)
        findings.append(Finding(FILE, line, "critical: a critical module needs a weight above 0"))


def _updates(document: yamldoc.Document, findings: list[Finding]) -> None:
    """Each `to` lies above its `from`."""
    update = document.value.get("update")
    versions = update.get("versions") if isinstance(update, dict) else None
    for index, step in enumerate(versions if isinstance(versions, list) else ()):
        if not isinstance(step, dict):
            continue
        ends = [str(step.get("from")), str(step.get("to"))]
        if not all(map(_STEP.fullmatch, ends)):
            continue
        low, high = ([int(part) for part in end.split(".")] for end in ends)
        if high <= low:
            line = document.lines.get(("update", "versions", index), 0)
            findings.append(Finding(FILE, line, f"update: {ends[1]} is not above {ends[0]}"))


def _name(definition: Mapping[str, Any], asked: str | None, findings: list[Finding]) -> str:
    own = definition.get("name")
    if isinstance(own, str) and asked is not None and own != asked:
        findings.append(
            Finding(FILE, 0, f"name: the module is {own!r}, but it is to be published as {asked!r}")
        )
    chosen = own if isinstance(own, str) else asked
    if chosen is None:
        if "name" not in definition:
            findings.append(Finding(FILE, 0, "name: the module's name is missing"))
        return ""
    try:
        return ModuleName.parse(chosen)
    except ConfigError as error:
        findings.append(Finding(FILE, 0, f"name: {error.message}: {error.hint}"))
        return ""


def _images(
    paths: Sequence[str], shape: Shape, findings: list[Finding], keys: list[Finding]
) -> tuple[ImageSource, ...]:
    """One image directory each; where both files are, the settings say which one counts."""
    kinds: dict[str, set[ImageKind]] = {}
    for path in paths:
        if found := _IMAGE_FILE.fullmatch(path):
            kinds.setdefault(found[1], set()).add(ImageKind(found[2]))
    findings.extend(
        Finding(f"images/{name}", 0, "an image name has letters, digits and . _ - only")
        for name in sorted(kinds)
        if not _IMAGE_NAME.fullmatch(name)
    )
    prefix = "images/" if shape.dockerfile_name == "images/dir" else ""
    images = []
    for name, there in sorted(kinds.items()):
        one = len(there) > 1 and shape.build_files != "both"
        counts = {ImageKind(_COUNTS[shape.build_files])} if one else there
        for kind in sorted(counts, key=lambda kind: kind.value):
            fragment = kind is ImageKind.STAPEL
            images.append(
                ImageSource(
                    name=name if fragment else prefix + name,
                    directory=f"images/{name}",
                    kind=kind,
                    key=None if fragment else image_key(name),
                )
            )
    try:
        image_keys(image.name for image in images if image.key is not None)
    except ConfigError as error:
        keys.extend(error.findings)
    return tuple(images)


def _agree(
    texts: Mapping[str, bytes], name: str, names: list[Finding], findings: list[Finding]
) -> None:
    """Chart.yaml has the module's name; oss.yaml, values and schemas parse; schemas are objects."""
    for path, data in sorted(texts.items()):
        if path == FILE or path.startswith("templates/"):
            continue
        document = yamldoc.load(data, path, ambiguous=False)
        findings.extend(document.findings)
        if document.findings:
            continue
        value = document.value
        if path == "Chart.yaml":
            chart = value.get("name") if isinstance(value, dict) else None
            if name and chart != name:
                line = document.lines.get(("name",), 1)
                names.append(Finding(path, line, f"name: {chart!r} is not the module's {name!r}"))
        elif path in {"openapi/config-values.yaml", "openapi/values.yaml", "openapi/settings.yaml"}:
            kind = value.get("type") if isinstance(value, dict) else None
            if kind != "object":
                line = document.lines.get(("type",), 1)
                findings.append(Finding(path, line, "type: object is expected at the top"))


def _templates(
    texts: Mapping[str, bytes],
    images: Sequence[ImageSource],
    paths: Sequence[str],
    findings: list[Finding],
) -> None:
    """Image names in templates are keys of images_digests.json, so far as keys are known here."""
    if any(image.key is None for image in images):
        return
    keys = {image.key for image in images if image.key is not None}
    directory = any(path.startswith("images/") for path in paths)
    for path, line, asked in asked_images(texts):
        if asked in keys:
            continue
        if directory:
            why = f"no directory below images/ gives the key {asked}"
        else:
            why = f"it asks for the image {asked}, but there is no images/ directory"
        findings.append(Finding(path, line, why + suggestion(asked, keys)))


def asked_images(texts: Mapping[str, bytes]) -> Iterator[tuple[str, int, str]]:
    """Path, line and key of each image that a template asks for by its plain name."""
    for path, data in sorted(texts.items()):
        if path.startswith("templates/"):
            text = data.decode(errors="replace")
            for found in _IMAGE_ASKED.finditer(text):
                yield path, text.count("\n", 0, found.start()) + 1, found[1]
