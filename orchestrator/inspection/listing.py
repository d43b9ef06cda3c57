"""Lists of what a module source, a module and its releases hold."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from orchestrator.artifacts import DIGESTS_FILE
from orchestrator.errors import ConfigError, OrchestratorError, RegistryError, VerificationError
from orchestrator.inspection.reader import Reader
from orchestrator.inspection.tags import Kind, kind, ordered
from orchestrator.model import Digest, Repository

VERSION_FILE: Final = "version.json"
_JOINED: Final = frozenset({Kind.VERSION, Kind.DEVELOPMENT, Kind.CONTENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A tag of a module's repository; `names` are those under which versions use it.

    `problem` says why its files could not be read.
    """

    tag: str
    kind: Kind
    digest: str = ""
    problem: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A tag of a release repository, and the version that its version.json names."""

    tag: str
    kind: Kind
    version: str = ""
    digest: str = ""
    problem: str = ""


def modules(reader: Reader, source: Repository) -> list[str]:
    """The tags of R in the registry's order: by them DKP lists the modules of a source."""
    try:
        found = reader.registry.tags(source)
    except RegistryError as error:
        if error.status in {401, 403}:
            error.hint = (
                f"DKP lists modules by the tags of {source} itself: these credentials need to pull "
                f"from that repository; a module is read without it: orchestrator ls images {source}/M"
            )
        raise
    if not found:
        raise RegistryError(
            f"{source} is not there, or lists no modules",
            status=404,
            hint="check the name of the module source; a module gets into its list when it is "
            "published: orchestrator build",
        )
    if 2 * sum(kind(tag) in {Kind.VERSION, Kind.CONTENT} for tag in found) > len(found):
        raise OrchestratorError(
            f"{source} holds versions and images, so it is a module and no module source",
            hint=f"orchestrator ls images {source}, or ls modules {source.parent}",
        )
    return found


def tags(reader: Reader, repository: Repository) -> list[str]:
    """The tags of a repository in the registry's order; raises RegistryError where there is none."""
    found = reader.registry.tags(repository)
    if not found:
        raise reader.empty(repository)
    return found


def images(reader: Reader, repository: Repository, names: Sequence[str]) -> list[Image]:
    """The tags with their digests, and which version uses which image; a request or two a tag."""
    known = {tag: kind(tag) for tag in ordered(names)}
    found = reader.registry.map(lambda tag: _image(reader, repository, tag, known[tag]), known)
    return used(found)


def used(found: Sequence[Image]) -> list[Image]:
    """The images with those that use them."""
    names: dict[str, set[str]] = {}
    users: dict[str, list[str]] = {}
    for image in found:
        for key, digest in image.images.items():
            names.setdefault(digest, set()).add(key)
            users.setdefault(digest, []).append(image.tag)
    return [
        replace(
            image,
            names=tuple(sorted(names.get(image.digest, ()))),
            used_by=tuple(users.get(image.digest, ())),
        )
        for image in found
    ]


def _image(reader: Reader, repository: Repository, tag: str, of: Kind) -> Image:
    reference = repository.tagged(tag)
    if of not in {Kind.VERSION, Kind.DEVELOPMENT}:
        there = reader.registry.head(reference)
        return Image(tag=tag, kind=of, digest=there.digest if there else "")
    digest = ""
    try:
        manifest = reader.find(reference)
        if manifest is None:
            return Image(tag=tag, kind=of)
        digest = manifest.digest
        data = reader.text(manifest, repository, DIGESTS_FILE)
    except (RegistryError, VerificationError) as error:
        return Image(tag=tag, kind=of, digest=digest, problem=_problem(error))
    return Image(tag=tag, kind=of, digest=digest, images=digests(data))


def _problem(error: RegistryError | VerificationError) -> str:
    """What is wrong with one tag is no reason to hide the others; what is wrong with us is."""
    denied = isinstance(error, RegistryError) and error.status in {401, 403}
    if denied or error.exit_code != 1:
        raise error
    return error.message


def digests(data: bytes | None) -> dict[str, str]:
    """What images_digests.json says, without what is no digest; empty where it is broken."""
    value = _json(data)
    return {
        key: text
        for key, text in sorted(value.items())
        if isinstance(text, str) and _is_digest(text)
    }


def _json(data: bytes | None) -> Mapping[str, object]:
    try:
        value = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_digest(text: str) -> bool:
    try:
        return bool(Digest.parse(text))
    except ConfigError:
        return False


def releases(reader: Reader, repository: Repository, names: Iterable[str]) -> list[Release]:
    """What each tag of R/M/release says; two requests a tag, one where it is cached."""

    def one(tag: str) -> Release:
        try:
            manifest = reader.find(repository.tagged(tag))
            if manifest is None:
                return _release(tag, None, "")
            return _release(tag, reader.text(manifest, repository, VERSION_FILE), manifest.digest)
        except (RegistryError, VerificationError) as error:
            return replace(_release(tag, None, ""), problem=_problem(error))

    return reader.registry.map(one, ordered(names, of_releases=True))


def release(reader: Reader, repository: Repository, tag: str) -> tuple[bytes, Release]:
    """version.json of R/M/release:TAG as it stands there, and what it says."""
    reference = repository.tagged(tag)
    manifest = reader.manifest(reference)
    data = reader.text(manifest, repository, VERSION_FILE)
    if data is None:
        raise VerificationError(
            f"{reference} has no {VERSION_FILE}",
            hint=f"see what is there: orchestrator ls files {reference}",
        )
    return data, _release(tag, data, manifest.digest)


def _release(tag: str, data: bytes | None, digest: str) -> Release:
    version = _json(data).get("version")
    return Release(
        tag=tag,
        kind=kind(tag, of_releases=True),
        version=version if isinstance(version, str) else "",
        digest=digest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A module in the tree of its source."""

    name: str
    images: tuple[str, ...]
    releases: tuple[str, ...]


def tree(reader: Reader, source: Repository, *, quick: bool, hidden: bool) -> list[Branch]:
    """Every module with its tags, werf's own only where `hidden` ones are asked for.

    Versions come in order, each with the images that it is the first to use; `quick` asks nothing
    but the lists, and puts all images behind all versions.
    """
    names = sorted(modules(reader, source))
    inside = [_below(source, name) for name in names]
    places = [place for home in inside if home for place in (home, home / "release")]
    found = dict(zip(places, reader.registry.map(reader.registry.tags, places), strict=True))
    shown = {
        place: ordered(
            (tag for tag in tags if hidden or kind(tag) is not Kind.SERVICE),
            of_releases=place.last == "release",
        )
        for place, tags in found.items()
    }
    if not quick:
        shown |= _grouped(reader, {home: shown[home] for home in inside if home})
    return [
        Branch(
            name=name,
            images=tuple(shown[home]) if home else (),
            releases=tuple(shown[home / "release"]) if home else (),
        )
        for name, home in zip(names, inside, strict=True)
    ]


def _below(source: Repository, name: str) -> Repository | None:
    """A tag may hold what no repository may, such as upper case: there is nothing below it."""
    try:
        return source / name
    except ConfigError:
        return None


def _grouped(
    reader: Reader, shown: Mapping[Repository, Sequence[str]]
) -> dict[Repository, list[str]]:
    """Each version with the content-based tags of images that no version before it uses."""
    asked = [(home, tag) for home, tags in shown.items() for tag in tags if kind(tag) in _JOINED]
    found = reader.registry.map(lambda ask: _image(reader, *ask, kind(ask[1])), asked)
    joined: dict[Repository, list[Image]] = {home: [] for home in shown}
    for (home, _tag), image in zip(asked, found, strict=True):
        joined[home].append(image)
    made = {}
    for home, several in joined.items():
        tagged: dict[str, list[str]] = {}
        for image in several:
            if image.kind is Kind.CONTENT:
                tagged.setdefault(image.digest, []).append(image.tag)
        order: dict[str, None] = {}
        for image in several:
            order[image.tag] = None
            own = {tag for digest in image.images.values() for tag in tagged.get(digest, ())}
            order |= dict.fromkeys(sorted(own - order.keys()))
        made[home] = list(order | dict.fromkeys(shown[home]))
    return made
