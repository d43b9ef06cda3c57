"""Rules about what is in the module image and the release image; no registry is asked here."""

import json
import re
from collections.abc import Mapping
from typing import Final

from orchestrator import yamldoc
from orchestrator.artifacts import DIGESTS_FILE
from orchestrator.errors import ConfigError
from orchestrator.model import Digest, ModuleName
from orchestrator.module import FIELDS, asked_images
from orchestrator.registry.layer import Entry
from orchestrator.schema import Record, check, suggestion
from orchestrator.verify import files
from orchestrator.verify.finding import Verification
from orchestrator.verify.schemas import check_schemas
from orchestrator.verify.unpack import Unpacked

_KEY: Final = re.compile(r"[a-z0-9][A-Za-z0-9.]*")
_LARGE: Final = 100 * 1024 * 1024
_AGAIN: Final = "publish the module with orchestrator build"


def check_release(release: Unpacked, version: str, found: Verification) -> None:
    """Rules 2 and 4."""
    name = release.reference
    _prefixes(release, 4, found)
    text = release.files.get("version.json")
    if text is None:
        found.error(2, f"{name} has no version.json", _AGAIN)
    else:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if value != {"version": version}:
            shown = text[:80].decode(errors="replace")
            found.error(
                2, f'{name}: version.json is {shown}, not {{"version":"{version}"}}', _AGAIN
            )
    if "module.yaml" not in release.files:
        found.error(4, f"{name} has no module.yaml: stage and requirements go unseen", _AGAIN)
    for finding in files.changelog("changelog.yaml", release.files.get("changelog.yaml", b"")):
        found.warn(4, f"{name}: {finding}", "mend the file")


def check_pair(module: Unpacked, release: Unpacked, found: Verification) -> None:
    """Rule 4: both images carry the same module.yaml."""
    ours, theirs = module.files.get("module.yaml"), release.files.get("module.yaml")
    if ours is not None and theirs is not None and ours != theirs:
        found.error(
            4,
            f"module.yaml differs between {module.reference} and {release.reference}",
            "publish both from one commit",
        )


def check_module(module: Unpacked, name: str, version: str, found: Verification) -> None:
    """Rules 3, 5, 6, 10 and 21."""
    reference = module.reference
    if module.platform != "linux/amd64":
        found.error(5, f"{reference} is for {module.platform}, not for linux/amd64", _AGAIN)
    _names(module, name, found)
    _definition(module, version, found)
    check_extraction(module, found)
    check_schemas(module, found)
    size = sum(layer.size for layer in module.manifest.layers)
    if size > _LARGE:
        found.warn(
            21,
            f"{reference} has {size // 1024 // 1024} MiB: DKP gives a download about 90 seconds",
            "keep large files out of the module image",
        )


def _names(module: Unpacked, name: str, found: Verification) -> None:
    try:
        ModuleName.parse(name)
    except ConfigError as error:
        found.error(3, error.message, "rename the module")
    for path in ("module.yaml", "Chart.yaml"):
        if path not in module.files:
            continue
        value = yamldoc.load(module.files[path], path, ambiguous=False).value
        own = value.get("name") if isinstance(value, dict) else None
        if own != name and (own is not None or path == "Chart.yaml"):
            found.error(
                3,
                f"{module.reference}: {path} names {own!r}, the repository {name!r}",
                "use one name",
            )


def _definition(module: Unpacked, version: str, found: Verification) -> None:
    data = module.files.get("module.yaml")
    if data is None:
        found.error(5, f"{module.reference} has no module.yaml", _AGAIN)
        return
    document = yamldoc.load(data, "module.yaml")
    problems = [*document.findings, *check(Record(FIELDS), document, "module.yaml")]
    for problem in problems:
        # The controller passes over keys that it does not know.
        report = found.warn if "unknown key" in problem.message else found.error
        report(5, f"{module.reference}: {problem}", "mend module.yaml")
    for finding in files.steps_above(document, version):
        found.error(5, f"{module.reference}: {finding.message}", "mend it")


def check_extraction(module: Unpacked, found: Verification) -> None:
    """Rule 6: a dry run of the controller's own extraction, layer by layer."""
    _prefixes(module, 6, found)
    for layer in module.layers:
        made: set[str] = set()
        for entry in layer:
            _extract(entry, made, module, found)


def _extract(entry: Entry, made: set[str], module: Unpacked, found: Verification) -> None:
    name = entry.name.removeprefix("./").rstrip("/")
    where = f"{module.reference}: {entry.name!r}"
    if ".." in entry.name:
        found.error(6, f"{where}: DKP refuses an image with .. in a name", "rename the file")
    elif entry.is_directory:
        made.add(name)
        if not entry.mode & 0o200:
            found.error(6, f"{where}: the directory is not writable by its owner", _AGAIN)
    elif entry.is_file:
        parent = name.rpartition("/")[0]
        if parent and parent not in made:
            found.error(6, f"{where}: its directory has no entry before it in its layer", _AGAIN)
        if files.is_program(name, entry.data) and not entry.mode & 0o100:
            found.error(6, f"{where}: it cannot be executed", "chmod +x and commit")
    else:
        found.error(6, f"{where}: DKP drops or refuses what is no file and no directory", _AGAIN)


def _prefixes(image: Unpacked, rule: int, found: Verification) -> None:
    if any(entry.name.startswith(("./", "/")) for layer in image.layers for entry in layer):
        found.error(
            rule, f"{image.reference}: names begin with ./ or /: d8 mirror misses them", _AGAIN
        )


def read_digests(module: Unpacked, found: Verification) -> dict[str, Digest]:
    """Rule 7: key -> digest."""
    where = f"{module.reference}: {DIGESTS_FILE}"
    data = module.files.get(DIGESTS_FILE)
    if data is None:
        found.error(7, f"{where} is missing: mirrors and templates need it", _AGAIN)
        return {}
    try:
        pairs = json.loads(data, object_pairs_hook=list)
        value = dict(pairs)
    except (ValueError, TypeError, RecursionError):
        found.error(7, f"{where} is no JSON object", _AGAIN)
        return {}
    if len(value) != len(pairs):
        found.error(7, f"{where} has a key twice", _AGAIN)
    digests = {}
    for key, text in value.items():
        try:
            digests[key] = Digest.parse(text if isinstance(text, str) else "")
        except ConfigError:
            found.error(7, f"{where}: {key} is {str(text)[:80]!r}, no digest", _AGAIN)
        if not _KEY.fullmatch(key):
            found.error(7, f"{where}: {key!r} is no lower camel case key", "rename the image")
    return digests


def check_templates(module: Unpacked, digests: Mapping[str, Digest], found: Verification) -> None:
    """Rule 9, both ways; a name that is put together in a template cannot be seen."""
    asked: set[str] = set()
    for path, _line, name in asked_images(module.files):
        asked.add(name)
        if name not in digests:
            found.error(
                9,
                f"{module.reference}: {path} asks for the image {name}, which has no digest"
                + suggestion(name, digests),
                "name the image as its key, or build it",
            )
    templates = [path for path in module.files if path.startswith("templates/")]
    whole = "\n".join(module.files[path].decode(errors="replace") for path in templates)
    for key in sorted(digests.keys() - asked):
        if templates and key not in whole:
            found.warn(9, f"{module.reference}: no template uses the image {key}", "remove it?")
