"""Rule 10: the schemas of settings, by themselves and against those of the version before."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from orchestrator import yamldoc
from orchestrator.lint import openapi
from orchestrator.model import is_release, precedence
from orchestrator.registry.client import Registry
from orchestrator.verify import files
from orchestrator.verify.finding import Verification
from orchestrator.verify.unpack import Unpacked, unpack

# Which settings users give; the other schema is about values that the module sets itself.
_OF_USERS: Final = ("openapi/config-values.yaml", "openapi/settings.yaml")
_SCHEMAS: Final = (*_OF_USERS, "openapi/values.yaml")


def check_schemas(module: Unpacked, found: Verification) -> None:
    """Without asking the registry."""
    for finding in (*files.not_a_schema(module.files), *files.conversions(module.files)):
        found.error(10, f"{module.reference}: {finding}", "mend it")
    for finding in files.own_registry(module.files):
        found.warn(10, f"{module.reference}: {finding}", "rename it")
    for path in _SCHEMAS:
        for place, why in openapi.defaults(_schema(module.files, path)):
            found.error(
                10,
                f"{module.reference}: {path}: {_shown(place)} does not fit its schema: {why}",
                "mend the default or the schema: DKP refuses the settings of every cluster",
            )


def check_required(
    registry: Registry, module: Unpacked, released: Iterable[str], found: Verification
) -> None:
    """A setting that is required now and was not before stops clusters that do not give it."""
    tag = module.reference.tag or ""
    paths = [path for path in _OF_USERS if b"required" in module.files.get(path, b"")]
    if not paths or not is_release(tag):
        return
    below = [v for v in released if is_release(v) and precedence(v) < precedence(tag)]
    if not below:
        return
    reference = module.reference.repository.tagged(max(below, key=precedence))
    # What is wrong with that version is told where it is verified itself.
    before = unpack(registry, reference, Verification(reference=str(reference)), 10)
    if before is None:
        return
    for path in paths:
        new, old = _schema(module.files, path), _schema(before.files, path)
        for place, name in openapi.newly_required(old, new):
            where = _shown((*place[:-2], "properties", name))
            found.warn(
                10,
                f"{module.reference}: {path}: {where} is required, was not so in {reference.tag}, "
                "and has no default",
                "give it a default: clusters whose settings lack it refuse the version",
            )


def _schema(contents: Mapping[str, bytes], path: str) -> Any:
    value = yamldoc.load(contents.get(path, b""), path, ambiguous=False).value
    return _without_patterns(value)


def _without_patterns(value: Any) -> Any:
    """Python's regular expressions may take for ever, and anyone may have written these."""
    if isinstance(value, list):
        return [_without_patterns(each) for each in value]
    if isinstance(value, dict):
        return {
            key: _without_patterns(each)
            for key, each in value.items()
            if not (key == "pattern" and isinstance(each, str))
        }
    return value


def _shown(place: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in place if part != "properties")
