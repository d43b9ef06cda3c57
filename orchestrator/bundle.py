"""Which files of a module's tree its image and its release image hold, by the layout's options."""

import re
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from orchestrator import yamldoc
from orchestrator.artifacts import bundle_paths, changelog_path
from orchestrator.errors import ConfigError, Finding
from orchestrator.model import precedence
from orchestrator.shape import Import, Shape

_VALUES: Final = "openapi/values.yaml"
_OVERLAY: Final = re.compile(r"openapi/values_[A-Za-z0-9-]+\.yaml")
_NOTE: Final = re.compile(
    r"CHANGELOG/(?:CHANGELOG-)?(v(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2})(\.ru)?\.ya?ml"
)
NOTES: Final = {"": "docs/RELEASE_NOTES.md", ".ru": "docs/RELEASE_NOTES.ru.md"}
_TITLES: Final = {"": "Release Notes", ".ru": "Релизы"}


def module_files(
    paths: Collection[str], shape: Shape, imports: Iterable[Import] = ()
) -> dict[str, str]:
    """File in the module image -> file of the tree, sorted."""
    chosen = set(bundle_paths(paths)) | _matching(paths, shape.include)
    chosen -= _matching(chosen, shape.excluded)
    chosen -= _sources(paths, chosen)
    files = {path: path for path in chosen}
    if shape.edition:
        overlay = f"openapi/values_{shape.edition.lower()}.yaml"
        files = {path: source for path, source in files.items() if not _OVERLAY.fullmatch(path)}
        if overlay in paths:
            files[_VALUES] = overlay
    for each in imports:
        files.pop(each.target, None)
    return dict(sorted(files.items()))


def _matching(paths: Iterable[str], globs: Iterable[str]) -> set[str]:
    """A glob without `*` takes the directory of that name with all that is in it."""
    patterns = [pattern.rstrip("/") for pattern in globs]
    return {
        path
        for path in paths
        if any(fnmatchcase(path, p) or path.startswith(f"{p}/") for p in patterns)
    }


def _sources(paths: Iterable[str], chosen: set[str]) -> set[str]:
    """What a compiled hook is made from: directories below hooks/ that are Go modules."""
    roots = [
        path.removesuffix("go.mod")
        for path in paths
        if path.startswith("hooks/") and path.endswith("/go.mod") and path != "hooks/go.mod"
    ]
    return {path for path in chosen if path.startswith(tuple(roots))}


def release_files(paths: Collection[str], shape: Shape, version: str) -> dict[str, str]:
    """File in the release image -> file of the tree, without version.json; raises ConfigError."""
    files = {path: path for path in _matching(paths, shape.release_include)}
    files["module.yaml"] = "module.yaml"
    changelog = _changelog(paths, shape, version)
    if changelog is not None:
        files["changelog.yaml"] = changelog
    return dict(sorted(files.items()))


def _changelog(paths: Collection[str], shape: Shape, version: str) -> str | None:
    if shape.changelog is None:
        return changelog_path(paths, version)
    path = shape.changelog.replace("{version}", version)
    if path in paths:
        return path
    if "{version}" in shape.changelog:
        return None
    raise ConfigError(
        "the settings are not right", [Finding(path, 0, "named by changelog, but no such file")]
    )


def note_files(paths: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Changelogs of released versions: path -> (version, language suffix)."""
    found = {path: match for path in paths if (match := _NOTE.fullmatch(path))}
    return {path: (match[1], match[2] or "") for path, match in sorted(found.items())}


def release_notes(changelogs: Mapping[str, bytes]) -> dict[str, bytes]:
    """Release notes from changelogs, newest first: file in the image -> Markdown."""
    sections: dict[str, dict[str, list[str]]] = {suffix: {} for suffix in NOTES}
    for path, (version, suffix) in note_files(changelogs).items():
        document = yamldoc.load(changelogs[path], path, ambiguous=False)
        if document.findings:
            raise ConfigError("a changelog is not right", document.findings)
        sections[suffix][version] = list(_note(document.value, depth=3))
    notes = {}
    for suffix, versions in sections.items():
        if not versions:
            continue
        lines = ["---", f'title: "{_TITLES[suffix]}"', "---"]
        for version in sorted(versions, key=precedence, reverse=True):
            lines += ["", f"## {version}", "", *versions[version]]
        notes[NOTES[suffix]] = ("\n".join(lines).rstrip() + "\n").encode()
    return notes


def _note(value: Any, depth: int) -> Iterable[str]:
    """Maps become headings or bold words, lists bullets, texts lines."""
    if isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, str | int | float):
                yield f"* **{key}**: {each}"
            else:
                yield from (f"{'#' * depth} {key}", "", *_note(each, min(depth + 1, 6)), "")
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, dict):
                yield "* " + "; ".join(f"**{k}**: {v}" for k, v in each.items())
            else:
                yield "* " + " ".join(str(each).split())
    elif value is not None:
        yield " ".join(str(value).split())
