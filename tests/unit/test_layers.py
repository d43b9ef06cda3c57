"""The architecture holds: imports go down, third parties have their one place, files stay small."""

import ast
from pathlib import Path

import pytest

import orchestrator

PACKAGE = Path(orchestrator.__file__).parent
# Lowest first; a module may import its own layer and those before it.
LAYERS = (
    ("orchestrator", "errors", "events", "fsio", "model", "parallel", "redact"),
    ("process", "registry"),
    (
        "adoption",
        "artifacts",
        "builders",
        "base_images",
        "bundle",
        "ci",
        "cluster",
        "connection",
        "deps",
        "fragments",
        "git",
        "giterminism",
        "hooks",
        "inspection",
        "jsonschema",
        "lint",
        "module",
        "option",
        "scaffold",
        "schema",
        "settings",
        "shape",
        "slug",
        "templating",
        "verify",
        "version",
        "werf_config",
        "watch",
        "yamldoc",
    ),
    ("engine",),
    ("stages",),
    ("channels", "publishing"),
    ("log", "cli", "__main__"),
)
# Engine and domain do not know each other.
APART = (("engine", LAYERS[1]), ("engine", LAYERS[2]))
HOMES = {
    "click": ("cli",),
    "jinja2": ("templating",),
    "mmh3": ("slug",),
    "plumbum": ("process",),
    "rich": ("log",),
    "structlog": ("log",),
    "semver": ("model",),
    "subprocess": ("process",),
    "urllib3": ("registry",),
    "watchfiles": ("watch",),
    "yaml": ("yamldoc",),
}
FILES = sorted(PACKAGE.rglob("*.py"))


def part(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "orchestrator" if first == "__init__" else first


def layer(name: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if name in names)


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports(path: Path) -> None:
    here = part(path)
    for name in imported(path):
        top, _, rest = name.partition(".")
        if top == "orchestrator":
            there = rest.partition(".")[0]
            if there == "__version__" or not rest:
                continue
            assert layer(there) <= layer(here) or (here, there) == ("cli", "log"), name
            assert not any(here == one and there in others for one, others in APART), name
        elif top in HOMES:
            assert here in HOMES[top], f"{name} in {path}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_size(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_every_module_says_what_it_is() -> None:
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text())), path
