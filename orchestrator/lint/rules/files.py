"""Rules about the files of a module: module.yaml, names, modes, what must not be published."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from orchestrator.artifacts import bundle_paths
from orchestrator.bundle import module_files
from orchestrator.errors import Finding
from orchestrator.lint.sources import Sources
from orchestrator.module import FILE, Check, misspelled
from orchestrator.schema import suggestion
from orchestrator.verify.files import is_program

# What the public template calls itself.
TEMPLATE_NAMES: Final = ("echoserver", "module-template", "modules-template")
_LEFT_OVER: Final = (
    (r"module\.yaml", re.compile(r"^namespace:\s*[\"']?(?:d8-)?(%s)\b")),
    (r"\.gitlab-ci\.yml", re.compile(r"^\s*MODULES_MODULE_NAME:\s*[\"']?(%s)\b")),
    (r"templates/.*", re.compile(r"\.Values\.(%s)\b")),
)
_DEVELOPMENT: Final = (
    "*.orig", "*.rej", "*.bak", "*.swp", "*~", "*.pyc", "*/.DS_Store", "*/Thumbs.db", "*/.idea/*",
    "*/.vscode/*", "*/node_modules/*", "*_test.go", "*_test.py", "*/test_*.py", "*/testdata/*",
    "*/hack/*",
)  # fmt: skip
_NOT_SHIPPED: Final = ("hack", "CHANGELOG", "images", ".github", ".werf", "Makefile", "testing")


def module_yaml(sources: Sources) -> Iterator[Finding]:
    if FILE not in sources.paths and misspelled(sources.paths) is None:
        yield Finding(FILE, 0, "there is no module.yaml")
    elif FILE in sources.paths:
        yield from sources.examined.findings[Check.DEFINITION]


def misspelled_module_yaml(sources: Sources) -> Iterator[Finding]:
    wrong = misspelled(sources.paths)
    if wrong is not None and FILE not in sources.paths:
        yield Finding(wrong, 0, f"DKP reads module.yaml and not {wrong}")
    for path, text in sources.config.texts.items():
        for number, line in enumerate(text.split("\n"), 1):
            if re.search(r"^\s*(-|add:|to:)\s+/?(modules\.yaml|module\.yml)\s*$", line):
                meant = line.split()[-1].strip("/")
                yield Finding(path, number, f"{meant} is taken along, but DKP reads module.yaml")


def module_name(sources: Sources) -> Iterator[Finding]:
    if FILE in sources.paths:
        yield from sources.examined.findings[Check.NAME]


def file_names(sources: Sources) -> Iterator[Finding]:
    yield from sources.examined.findings[Check.PATHS]


def broken_files(sources: Sources) -> Iterator[Finding]:
    yield from sources.examined.findings[Check.FILES]


def not_executable(sources: Sources) -> Iterator[Finding]:
    for path, data in sorted(sources.files.items()):
        if is_program(path, data) and not sources.tree.executable(path):
            yield Finding(path, 1, "it is a program, but it cannot be executed")


def development_files(sources: Sources) -> Iterator[Finding]:
    for path in [] if sources.own_werf else module_files(sources.paths, sources.shape):
        if any(fnmatchcase(path, pattern) for pattern in _DEVELOPMENT):
            yield Finding(path, 0, "a file of development would be part of the module image")
    bundle = sources.config.image("bundle")
    lines = bundle.body.split("\n") if bundle else []
    listed = None
    for number, line in enumerate(lines, bundle.start if bundle else 0):
        if found := re.match(r"(\s*)(includePaths|\w+):", line):
            listed = found[2]
        taken = line.strip().removeprefix("- ").strip("/\"'") if bundle else ""
        if bundle and listed == "includePaths" and taken in _NOT_SHIPPED:
            yield Finding(bundle.path, number, f"{taken} is taken into the module image")


def submodules(sources: Sources) -> Iterator[Finding]:
    for path in bundle_paths(f"{path}/x" for path in sources.tree.submodules):
        yield Finding(path.removesuffix("/x"), 0, "a submodule is left out of the module image")


def left_from_template(sources: Sources) -> Iterator[Finding]:
    """Camel case and kebab case of one name are one here."""
    names = [name for name in TEMPLATE_NAMES if name != sources.module_name]
    if "echoserver" not in names:
        return
    forms = {name: name for name in names} | {_camel(name): name for name in names}
    choice = "|".join(map(re.escape, forms))
    for where, pattern in _LEFT_OVER:
        wanted = re.compile(pattern.pattern.replace("%s", choice))
        for path, text in sources.matching(where).items():
            for number, line in enumerate(text.split("\n"), 1):
                if found := wanted.search(line):
                    message = f"{found[1]} is the name of the template, not of this module"
                    yield Finding(path, number, message)


def _camel(name: str) -> str:
    first, *rest = name.split("-")
    return first + "".join(part.capitalize() for part in rest)


def wrong_values_key(sources: Sources) -> Iterator[Finding]:
    """Templates see their own values below the module's name in camel case, and `global`."""
    own = _camel(sources.module_name)
    if not own:
        return
    for path, text in sources.matching(r"templates/.*").items():
        # Once a file is enough: a wrong name is seldom wrong once.
        known = {own, "global", *map(_camel, TEMPLATE_NAMES)}
        for number, line in enumerate(text.split("\n"), 1):
            for found in re.finditer(r"\$?\.Values\.([A-Za-z_]\w*)", line):
                if found[1] not in known:
                    known.add(found[1])
                    tip = suggestion(found[1], [own])
                    yield Finding(path, number, f".Values.{found[1]} is not of {own}{tip}")
