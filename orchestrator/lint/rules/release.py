"""Rules about what is published: version, release image, digests, changelog, CI."""

import re
from collections.abc import Iterator
from typing import Final

from orchestrator import yamldoc
from orchestrator.artifacts import DIGESTS_FILE, changelog_path
from orchestrator.errors import Finding
from orchestrator.lint.sources import Sources
from orchestrator.lint.werf import Image, items
from orchestrator.module import FILE
from orchestrator.verify.files import changelog, steps_above

RELEASE_IMAGE: Final = "release-channel-version"
BUNDLE_IMAGE: Final = "bundle"

_BARE: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_TRIMMED: Final = re.compile(r'trimPrefix\s+"v"')
_VERSION_LINE: Final = re.compile(r"MODULES_MODULE_TAG|CI_COMMIT_(TAG|REF_NAME)|version\.json")
_CUT: Final = re.compile(r"(module_tag|MODULES_MODULE_TAG)\b.*(#v\}|#v\b|s/\^v//)", re.IGNORECASE)
_MORE_KEYS: Final = re.compile(
    r"""\\?"version\\?"\s*:.*,\s*\\?"\w+\\?"\s*:|\.version\s*=[^|']*\|\s*\.\w+\s*="""
)
_WORKFLOWS: Final = r"\.github/workflows/.*"


def version_without_v(sources: Sources) -> Iterator[Finding]:
    for path, text in sources.config.texts.items():
        for number, line in enumerate(text.split("\n"), 1):
            if _TRIMMED.search(line) and _VERSION_LINE.search(line):
                yield Finding(path, number, "the v is taken off the version")
    for path, text in sources.matching(rf"{_WORKFLOWS}|\.gitlab-ci\.yml|Makefile").items():
        for number, line in enumerate(text.split("\n"), 1):
            if _CUT.search(line):
                yield Finding(path, number, "the v is taken off the version")
    bare = [tag for tag in sources.tags if _BARE.fullmatch(tag)]
    if bare and sources.release is None:
        yield Finding(FILE, 0, f"the git tag {bare[-1]} is no version to DKP: it begins with v")


def _closure(sources: Sources, name: str) -> list[Image]:
    """An image with all that it imports from or stands on."""
    found: dict[str, list[Image]] = {}
    wanted = [name]
    while wanted:
        one = wanted.pop()
        if one not in found:
            found[one] = [image for image in sources.config.images if image.name.text == one]
            for image in found[one]:
                wanted += [
                    use.name.text
                    for use in sources.config.uses
                    if use.path == image.path
                    and image.start <= use.line <= image.start + image.body.count("\n")
                ]
    return [image for images in found.values() for image in images]


def _lacks(sources: Sources, image: str, file: str) -> Iterator[Image]:
    """The image where nothing of it or behind it mentions a file, nor takes all that is committed."""
    declared = sources.config.image(image)
    if declared is None:
        return
    made = file != FILE
    behind = _closure(sources, image)
    if not any(file in each.body or (not made and _takes_all(each)) for each in behind):
        yield declared


def _takes_all(image: Image) -> bool:
    """Whether a document adds the whole work tree."""
    return any(
        re.search(r"add:\s*[\"']?/[\"']?\s*$", "\n".join(lines), re.MULTILINE)
        and not any("includePaths" in line for line in lines)
        for _, lines in items(image, "git")
    )


def release_without_module_yaml(sources: Sources) -> Iterator[Finding]:
    for image in _lacks(sources, RELEASE_IMAGE, FILE):
        message = f"the image {RELEASE_IMAGE} has no module.yaml: DKP sees no requirements"
        yield Finding(image.path, image.line, message)


def release_without_version(sources: Sources) -> Iterator[Finding]:
    """No version.json is ever committed, so it must be written."""
    for image in _lacks(sources, RELEASE_IMAGE, "version.json"):
        yield Finding(image.path, image.line, f"the image {RELEASE_IMAGE} has no version.json")


def version_json_keys(sources: Sources) -> Iterator[Finding]:
    for path, text in sources.config.texts.items():
        for number, line in enumerate(text.split("\n"), 1):
            if "version.json" in line and _MORE_KEYS.search(line):
                yield Finding(path, number, "version.json has another key besides version")


def bundle_without_module_yaml(sources: Sources) -> Iterator[Finding]:
    for image in _lacks(sources, BUNDLE_IMAGE, FILE):
        yield Finding(image.path, image.line, f"the image {BUNDLE_IMAGE} has no module.yaml")


def digests_missing(sources: Sources) -> Iterator[Finding]:
    if any(path.startswith("images/") for path in sources.paths):
        for image in _lacks(sources, BUNDLE_IMAGE, DIGESTS_FILE):
            message = f"the image {BUNDLE_IMAGE} has no {DIGESTS_FILE}: templates find no image"
            yield Finding(image.path, image.line, message)


def digests_committed(sources: Sources) -> Iterator[Finding]:
    if DIGESTS_FILE in sources.paths:
        yield Finding(DIGESTS_FILE, 0, "digests of a build are committed: they are old at once")


def changelog_missing(sources: Sources) -> Iterator[Finding]:
    """Silent where a module keeps no changelog at all."""
    keeps = any(path.startswith("CHANGELOG/") for path in sources.paths)
    if keeps and sources.release and changelog_path(sources.paths, sources.release) is None:
        path = f"CHANGELOG/{sources.release}.yml"
        yield Finding(path, 0, f"there is no changelog for {sources.release}, the tag at HEAD")


def changelog_not_a_map(sources: Sources) -> Iterator[Finding]:
    path = changelog_path(sources.paths, sources.release or "")
    if path is not None:
        yield from changelog(path, sources.files.get(path, b""))


def update_above_version(sources: Sources) -> Iterator[Finding]:
    if sources.release and FILE in sources.files:
        yield from steps_above(yamldoc.load(sources.files[FILE], FILE), sources.release)


def _in_workflows(sources: Sources, pattern: str, message: str) -> Iterator[Finding]:
    for path, text in sources.matching(_WORKFLOWS).items():
        for number, line in enumerate(text.split("\n"), 1):
            if found := re.search(pattern, line):
                yield Finding(path, number, message.format(*found.groups()))


def unpinned_action(sources: Sources) -> Iterator[Finding]:
    """Versions of modules-actions are branches, so only a commit stays."""
    return _in_workflows(
        sources, r"uses:\s*(deckhouse/modules-actions/\w+@(?![0-9a-f]{40}\b)\S+)", "{} moves"
    )


def raw_owner(sources: Sources) -> Iterator[Finding]:
    return _in_workflows(
        sources,
        r"ghcr\.io/\$\{\{\s*(github\.(?:repository_owner|actor))\s*\}\}",
        "{} may have capitals, and a repository may not",
    )


def raw_ref(sources: Sources) -> Iterator[Finding]:
    return _in_workflows(
        sources,
        r"module_tag:\s*\$\{\{\s*(github\.(?:head_ref|ref_name))\s*\}\}",
        "{} of a branch may hold /, and a tag may not",
    )
