"""What is published, as bytes: images_digests.json, version.json, and which files go where."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from orchestrator.errors import ConfigError, Finding
from orchestrator.fsio import canonical_json, pretty_json
from orchestrator.model import Digest, Version

DIGESTS_FILE: Final = "images_digests.json"

# Top-level names that DKP, its hooks runtime, its documentation site or d8 mirror read from a
# module image (DKP: module structure); public modules ship these and little else.
_BUNDLE: Final = frozenset(
    """
    .helmignore Chart.lock Chart.yaml charts crds docs enabled extra_images.json hooks
    module.yaml monitoring openapi oss.yaml package.yaml templates values.yaml
    """.split()
)
# Sources of what is compiled, tests, and drawings whose rendered form is what the site shows.
_NOT_IN_BUNDLE: Final = (
    "hooks/*.go",
    "hooks/*/go.mod",
    "hooks/*/go.sum",
    "hooks/go.mod",
    "hooks/go.sum",
    "docs/internal/*",
    "docs/images/*.drawio",
    "docs/images/*.sh",
    "openapi/openapi-case-tests.yaml",
    "*/.gitkeep",
    "*/__pycache__/*",
    "lib/python/requirements.txt",
)
# What hooks import; other languages' libraries are sources of something else.
_LIBRARIES: Final = "lib/python/"
_CONNECTORS: Final = "-_ \t"


def image_key(name: str) -> str:
    """The key of an image in images_digests.json: the last path element in lower camel case.

    Sprig's `camelcase | untitle`: the last connector of a run is removed and the next letter raised;
    leading and trailing ones stay.
    """
    last = name.rpartition("/")[2]
    body = last.strip(_CONNECTORS)
    start = len(last) - len(last.lstrip(_CONNECTORS))
    if not body:
        return last
    made = []
    for before, char, after in zip(" " + body, body, body[1:] + ".", strict=False):
        if char in _CONNECTORS and after not in _CONNECTORS:
            continue
        made.append(char.upper() if before in _CONNECTORS else char)
    lead = last[:start]
    joined = lead + "".join(made) + last[start + len(body) :]
    return joined[0].lower() + joined[1:]


def image_keys(names: Iterable[str]) -> dict[str, str]:
    """Image name -> key; raises ConfigError with every collision and every key that would be lost."""
    keys = {name: image_key(name) for name in sorted(set(names))}
    by_key: dict[str, list[str]] = defaultdict(list)
    findings = []
    for name, key in keys.items():
        by_key[key].append(name)
        if not key:
            findings.append(
                Finding(
                    f"image {name or '~'}", 0, "its name gives no key, so it cannot be asked for"
                )
            )
        if "_" in key:
            findings.append(
                Finding(
                    f"image {name}", 0, f"its key {key} holds _, and templates cannot ask for it"
                )
            )
    for key, several in by_key.items():
        if len(several) > 1:
            findings.append(
                Finding(
                    f"images {', '.join(several)}",
                    0,
                    f"they share the key {key}; rename all but one",
                )
            )
    if findings:
        raise ConfigError(
            "image names do not give usable keys in images_digests.json",
            findings,
            hint="the key of an image is the last part of its name in camel case",
        )
    return keys


def images_digests(digests: Mapping[str, Digest]) -> bytes:
    """images_digests.json: key -> digest of each image; `{}` where there is none."""
    keys = image_keys(digests)
    return pretty_json({keys[name]: str(digest) for name, digest in digests.items()})


def version_json(version: Version) -> bytes:
    """Exactly `{"version":"v1.23.2"}`: scripts search for this very text."""
    return canonical_json({"version": version.tag})


def bundle_paths(paths: Iterable[str]) -> list[str]:
    """The files of a module's tree that go into the module image, sorted."""
    return sorted(
        path
        for path in paths
        if (path.partition("/")[0] in _BUNDLE or path.startswith(_LIBRARIES))
        and not any(fnmatchcase(path, pattern) for pattern in _NOT_IN_BUNDLE)
    )


def changelog_path(paths: Iterable[str], version: str) -> str | None:
    """The file that becomes changelog.yaml in the release image, None where there is none."""
    there = set(paths)
    candidates = (
        f"CHANGELOG/{version}.yml",
        f"CHANGELOG/{version}.yaml",
        f"CHANGELOG/CHANGELOG-{version}.yml",
        f"CHANGELOG/CHANGELOG-{version}.yaml",
        "changelog.yaml",
        "changelog.yml",
    )
    return next((path for path in candidates if path in there), None)
