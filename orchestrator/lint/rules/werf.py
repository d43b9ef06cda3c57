"""Rules about the werf config, read as text: bases, environment, what werf 3 will refuse."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from orchestrator import giterminism, werf_config, yamldoc
from orchestrator.deps.basemap import REGISTRY_KEY
from orchestrator.errors import ConfigError, Finding
from orchestrator.lint.rules.files import TEMPLATE_NAMES
from orchestrator.lint.sources import Sources
from orchestrator.lint.werf import items, without_comments
from orchestrator.schema import suggestion

_GITERMINISM: Final = "werf-giterminism.yaml"
_BASE: Final = re.compile(r"(base|builder|common|libs|tools)/")
_EXTERNAL: Final = re.compile(r"[:@]|^scratch$")
_ACTION: Final = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_INDEX: Final = re.compile(r'index\s+\$?\w*(?:\.\w+)*\.Images\s+(?:"([^"]+)"|\(([^)]*)\))')
_FIELD: Final = re.compile(r"\.Images\.([A-Za-z_]\w*)")
_ENV: Final = re.compile(r'(?<![\w."])env\s+"([A-Za-z_]\w*)"(\s*["(.$]|\s+`)?')
_PROJECT: Final = re.compile(r"project:\s*[\"']?([^\s\"'#{]+)")
_DEFINE: Final = re.compile(r'\{\{-?\s*define\s+"([^"]+)"')
_INCLUDE: Final = re.compile(r'\b(?:include|template)\s+"([^"]+)"')
_CI: Final = (
    r"\.github/workflows/.*|\.gitlab-ci\.yml|\.gitlab/.*|Makefile|Taskfile\.ya?ml|Jenkinsfile"
)


def undeclared_image(sources: Sources) -> Iterator[Finding]:
    config = sources.config
    known = sorted({image.name.text for image in config.images if image.name.exact})
    for use in config.uses:
        name = use.name.text
        if not use.name.exact or _EXTERNAL.search(name) or _BASE.match(name):
            continue
        if not config.declares(name) and name not in (config.base or ()):
            why = "werf takes it for one in a registry" if use.how == "fromImage" else "werf fails"
            message = f"{use.how}: no document declares the image {name}: {why}"
            yield Finding(use.path, use.line, message + suggestion(name, known))


def missing_base_image(sources: Sources) -> Iterator[Finding]:
    keys = sources.base_keys
    if keys is None:
        return
    there = ", ".join(sorted(sources.base_maps))
    for path, line, key in sorted({*_base_used(sources)}):
        if key not in keys and not sources.config.declares(key):
            message = f"{there} has no base image {key}{suggestion(key, keys)}"
            yield Finding(path, line, message)


def _base_used(sources: Sources) -> Iterator[tuple[str, int, str]]:
    for use in sources.config.uses:
        if use.name.exact and _BASE.match(use.name.text) and not _EXTERNAL.search(use.name.text):
            yield use.path, use.line, use.name.text
    for path, text in sources.config.texts.items():
        bare = without_comments(text)
        for action in _ACTION.finditer(bare):
            for found in _INDEX.finditer(action[1]):
                line = _line(bare, action.start(1) + found.start())
                choice = re.search(r'ternary\s+"([^"]+)"\s+"([^"]+)"', found[2] or "")
                for key in choice.groups() if choice else filter(None, (found[1],)):
                    yield path, line, key
            for found in _FIELD.finditer(action[1]):
                if found[1] == REGISTRY_KEY:
                    continue
                yield path, _line(bare, action.start(1) + found.start()), found[1]


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def missing_base_map(sources: Sources) -> Iterator[Finding]:
    """Silent where CI or a make target says how to get it, or `deps:` in orchestrator.yaml does."""
    if sources.takes_base_images:
        return
    ci = sources.matching(_CI)
    github = {p: t for p, t in ci.items() if p.startswith(".github/") and "actions/build@" in t}
    for path, data in sources.base_maps.items():
        if data is not None:
            continue
        wanted = re.compile(rf"{re.escape(path.rpartition('/')[2])}|BASE_IMAGES_VERSION")
        if any(wanted.search(text) for text in (github or ci).values()):
            continue
        for where, text in sources.config.texts.items():
            if path in text:
                line = _line(text, text.index(path))
                yield Finding(where, line, f"{path} is not there, and nothing says where from")
                break


def project_name(sources: Sources) -> Iterator[Finding]:
    name = sources.module_name
    for path, text in sources.matching(r"werf[\w-]*\.ya?ml").items():
        for number, line in enumerate(text.split("\n"), 1):
            found = _PROJECT.match(line)
            if found and name and found[1] != name:
                foreign = found[1] in TEMPLATE_NAMES or not (name in found[1] or found[1] in name)
                if foreign:
                    message = f"project: {found[1]} is not of the module {name}"
                    yield Finding(path, number, message)


def cleanup_project(sources: Sources) -> Iterator[Finding]:
    """werf finds what it built by the project's name."""
    main = sources.texts.get("werf.yaml", "")
    own = next(filter(None, map(_PROJECT.match, main.split("\n"))), None)
    for path, text in sources.matching(r"werf[_-]\w+\.ya?ml").items():
        for number, line in enumerate(text.split("\n"), 1):
            found = _PROJECT.match(line)
            if own and found and found[1] != own[1]:
                yield Finding(path, number, f"project: {found[1]}, but werf.yaml says {own[1]}")


def _environment(sources: Sources) -> Iterator[tuple[str, int, str, bool]]:
    """Path, line, name and whether there is a default, for each `env` that werf will surely reach."""
    for path, text in sources.config.texts.items():
        bare = without_comments(text)
        blocks: list[str] = []
        for action in _ACTION.finditer(bare):
            word = action[1].split(maxsplit=1)[0] if action[1].strip() else ""
            if word == "end":
                del blocks[-1:]
            elif word in {"if", "with", "range", "define", "block"}:
                blocks.append(word)
            if set(blocks) - {"range"}:
                continue
            for found in _ENV.finditer(action[1]):
                line = _line(bare, action.start(1) + found.start())
                yield path, line, found[1], found[2] is not None


def env_not_allowed(sources: Sources) -> Iterator[Finding]:
    text = sources.texts.get(_GITERMINISM)
    value = yamldoc.load(text or "{}", _GITERMINISM, ambiguous=False).value
    for key in ("config", "goTemplateRendering", "allowEnvVariables"):
        value = value.get(key) if isinstance(value, dict) else None
    allowed = [str(each) for each in value] if isinstance(value, list) else []
    for path, line, name, _ in _environment(sources):
        if not any(_allows(each, name) for each in allowed):
            where = "does not allow it" if text is not None else "is not there to allow it"
            yield Finding(path, line, f"env {name}: {_GITERMINISM} {where}")


def _allows(rule: str, name: str) -> bool:
    if not (rule.startswith("/") and rule.endswith("/") and len(rule) > 1):
        return rule == name
    try:
        return re.fullmatch(rule[1:-1], name) is not None
    except re.error:
        return True


def env_without_default(sources: Sources) -> Iterator[Finding]:
    for path, line, name, default in _environment(sources):
        if not default:
            yield Finding(path, line, f"env {name}: werf fails where it is not set")


def deprecated_artifact(sources: Sources) -> Iterator[Finding]:
    for path, text in sources.config.texts.items():
        for number, line in enumerate(without_comments(text).split("\n"), 1):
            if found := re.match(r"(artifact|fromArtifact|\s+- artifact|  artifact):", line):
                key = found[1].strip(" -")
                yield Finding(path, number, f"{key} is deprecated, and werf 3 refuses it")


def import_from_and_image(sources: Sources) -> Iterator[Finding]:
    for image in sources.config.images:
        for number, lines in items(image, "import"):
            if {"from", "image"} <= _keys(lines):
                yield Finding(image.path, number, "an import takes from: or image:, never both")


def _keys(lines: list[str]) -> set[str]:
    """The keys of one item of a list, without those below them."""
    indent = lines[0].index("- ") + 2
    found = (re.match(rf"[ -]{{{indent}}}(\w+):", line) for line in lines)
    return {each[1] for each in found if each}


def ambiguous_define(sources: Sources) -> Iterator[Finding]:
    """A define is global, and the last one counts: for a file that has none of its own that is luck."""
    defined: dict[str, dict[str, str]] = defaultdict(dict)
    for path, text in sources.config.texts.items():
        starts = [*_DEFINE.finditer(text)]
        ends = [*(each.start() for each in starts[1:]), len(text)]
        for found, end in zip(starts, ends, strict=False):
            defined[found[1]][path] = text[found.start() : end].strip()
    for path, text in sources.config.texts.items():
        for found in _INCLUDE.finditer(text):
            there = defined.get(found[1], {})
            if path not in there and len(set(there.values())) > 1:
                message = f"{found[1]} is defined differently in {', '.join(sorted(there))}"
                yield Finding(path, _line(text, found.start()), message)


def generated_config(sources: Sources) -> Iterator[Finding]:
    """Everything for which a werf config cannot be rendered from fragments and settings."""
    if not sources.own_werf:
        try:
            werf_config.make(sources.generated)
        except ConfigError as error:
            yield from error.findings


def generated_giterminism(sources: Sources) -> Iterator[Finding]:
    """What the fragments of a generated config use and werf would refuse."""
    if sources.own_werf or not sources.examined.module.images:
        return
    committed = sources.files.get(_GITERMINISM)
    try:
        wanted = werf_config.make(sources.generated).giterminism
        lacks = giterminism.lacking(committed or b"{}", wanted)
    except ConfigError:
        return
    for each in lacks if committed is not None else ():
        yield Finding(_GITERMINISM, 0, f"it lacks {each}")
