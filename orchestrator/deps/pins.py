"""Pinning: what the files of a module become by their sources, and what differs from the lock."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from orchestrator.deps import basemap, chart, lock, source
from orchestrator.deps.basemap import BaseImage, BaseMap
from orchestrator.deps.config import Deps, Origin
from orchestrator.errors import ConfigError, Finding
from orchestrator.fsio import atomic_write, sha256, sha256_file
from orchestrator.model import Repository
from orchestrator.registry.client import Registry
from orchestrator.schema import suggestion
from orchestrator.settings import FILE as SETTINGS

UPDATE: Final = "run: orchestrator deps update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """The files as they are to be, those that are to go, and the lock."""

    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    removed: tuple[str, ...] = ()
    lock: lock.Lock


def resolve(registry: Registry, directory: Path, deps: Deps) -> Pins:
    """Read every source; nothing is written."""
    files: dict[str, bytes] = {}
    removed: tuple[str, ...] = ()
    made = lock.Lock()
    if deps.base_images is not None:
        text, locked = _base_images(registry, directory, deps.base_images, deps.map_file)
        files[deps.map_file] = text.encode()
        made = replace(made, base_images=locked)
    if deps.lib_helm is not None:
        data = source.read_chart(registry, directory, deps.lib_helm)
        found = chart.unpack(data, deps.lib_helm.text)
        if found.name != chart.LIB_HELM:
            raise ConfigError(f"{deps.lib_helm.text} is the chart {found.name}, not lib-helm")
        path = chart.path_of(found.version)
        files[path] = data
        files.update(_chart_yaml(directory, found.version))
        removed = tuple(each for each in _vendored(directory) if each != path)
        locked_chart = lock.LockedChart(
            origin=deps.lib_helm.text, read=sha256(data), file=path, version=found.version
        )
        made = replace(made, lib_helm=locked_chart)
    return Pins(files=files, removed=removed, lock=made)


def write(directory: Path, pins: Pins) -> list[str]:
    """Bring the files to what they are to be, the lock last; returns the paths that changed."""
    changed = []
    for path, data in [*pins.files.items(), (lock.FILE, lock.write(pins.lock))]:
        if sha256_file(directory / path) != sha256(data):
            atomic_write(directory / path, data)
            changed.append(path)
    for path in pins.removed:
        (directory / path).unlink(missing_ok=True)
        changed.append(path)
    return changed


def stale(directory: Path, pins: Pins) -> list[Finding]:
    """What `write()` would change."""
    findings = [
        Finding(path, 0, "not what its source says" if (directory / path).exists() else "missing")
        for path, data in pins.files.items()
        if sha256_file(directory / path) != sha256(data)
    ]
    findings += [Finding(path, 0, "an older one") for path in pins.removed]
    if sha256_file(directory / lock.FILE) != sha256(lock.write(pins.lock)):
        findings.append(Finding(lock.FILE, 0, "not what the sources say"))
    return sorted(findings)


def unlocked(directory: Path, deps: Deps) -> list[Finding]:
    """What differs from the lock; no source is read."""
    file = directory / lock.FILE
    if not file.is_file():
        return [Finding(lock.FILE, 0, "missing")]
    locked = lock.read(file.read_bytes())
    found = [
        *_origins(deps.base_images, locked.base_images, "base_images"),
        *_origins(deps.lib_helm, locked.lib_helm, "lib_helm"),
    ]
    if deps.base_images is not None and locked.base_images is not None:
        found += _unlocked_map(directory, deps.map_file, locked.base_images)
    if deps.lib_helm is not None and locked.lib_helm is not None:
        found += _unlocked_chart(directory, locked.lib_helm)
    return sorted(found)


def _base_images(
    registry: Registry, directory: Path, origin: Origin, path: str
) -> tuple[str, lock.LockedMap]:
    file = directory / path
    ours = basemap.parse(file.read_bytes(), path) if file.is_file() else None
    if origin.repository is not None:
        if ours is None:
            raise ConfigError(
                f"{path} is not there, and a registry alone does not say which images are wanted",
                hint=f"write {path} once, with name:tag@digest for each image",
            )
        read, text = "", ours.with_images(_by_tag(registry, origin.repository, ours))
    else:
        data = source.read_map(registry, directory, origin, file.name)
        theirs = basemap.parse(data, origin.text)
        read = sha256(data)
        text = theirs.text if ours is None else ours.with_images(_by_key(theirs, ours))
    images = basemap.parse(text.encode(), path).images
    return text, lock.LockedMap(
        origin=origin.text,
        read=read,
        file=path,
        images={key: image.digest for key, image in images.items()},
    )


def _by_key(theirs: BaseMap, ours: BaseMap) -> dict[str, BaseImage]:
    missing = [
        Finding(
            ours.origin,
            image.line,
            f"{theirs.origin} has no {key}{suggestion(key, theirs.images)}",
        )
        for key, image in ours.images.items()
        if key not in theirs.images
    ]
    if missing:
        raise ConfigError(
            "base images are gone from their source",
            missing,
            hint=f"rename or remove them in {ours.origin}, or name another source",
        )
    return {key: theirs.images[key] for key in ours.images}


def _by_tag(registry: Registry, place: Repository, ours: BaseMap) -> dict[str, BaseImage]:
    def ask(item: tuple[str, BaseImage]) -> BaseImage | Finding:
        key, image = item
        name, colon, tag = image.name.rpartition(":")
        if not colon:
            return Finding(ours.origin, image.line, f"{key}: there is no tag to ask for")
        reference = (place / name).tagged(tag)
        there = registry.head(reference)
        if there is None:
            return Finding(ours.origin, image.line, f"{key}: {reference} is not there")
        return replace(image, digest=there.digest)

    answers = registry.map(ask, ours.images.items())
    if findings := [answer for answer in answers if isinstance(answer, Finding)]:
        raise ConfigError(
            "base images cannot be pinned",
            findings,
            hint="write name:tag@digest, or name a map as the source",
        )
    images = [answer for answer in answers if isinstance(answer, BaseImage)]
    return dict(zip(ours.images, images, strict=True))


def _chart_yaml(directory: Path, version: str) -> dict[str, bytes]:
    """Chart.yaml with the version, where it names lib-helm."""
    file = directory / "Chart.yaml"
    data = file.read_bytes() if file.is_file() else b""
    asked = chart.dependency(data, file.name)
    if asked is None or asked.version == version:
        return {}
    return {file.name: chart.with_version(data.decode(), asked, version).encode()}


def _vendored(directory: Path) -> list[str]:
    there = (f"charts/{file.name}" for file in (directory / "charts").glob("*.tgz"))
    return sorted(filter(chart.is_packed, there))


def _origins(
    origin: Origin | None, locked: lock.LockedMap | lock.LockedChart | None, name: str
) -> Iterator[Finding]:
    if (origin is None) != (locked is None):
        where = lock.FILE if locked is None else SETTINGS
        yield Finding(where, 0, f"{name} is missing")
    elif origin is not None and locked is not None and origin.text != locked.origin:
        yield Finding(lock.FILE, 0, f"{name} is from {locked.origin}, not from {origin.text}")


def _unlocked_map(directory: Path, path: str, locked: lock.LockedMap) -> Iterator[Finding]:
    file = directory / path
    if not file.is_file():
        yield Finding(path, 0, "missing")
        return
    ours = basemap.parse(file.read_bytes(), path)
    for key, image in ours.images.items():
        if key not in locked.images:
            yield Finding(path, image.line, f"{key} is not in the lock")
        elif image.digest != locked.images[key]:
            yield Finding(path, image.line, f"{key}: the lock says {locked.images[key]}")
    for key in sorted(locked.images.keys() - ours.images.keys()):
        yield Finding(path, 0, f"{key} is in the lock only")


def _unlocked_chart(directory: Path, locked: lock.LockedChart) -> Iterator[Finding]:
    there = sha256_file(directory / locked.file)
    if there is None:
        yield Finding(locked.file, 0, "missing")
    elif there != locked.read:
        yield Finding(locked.file, 0, f"the lock says {locked.read}, it is {there}")
    for path in _vendored(directory):
        if path != locked.file:
            yield Finding(path, 0, "not in the lock")
    for path in _chart_yaml(directory, locked.version):
        yield Finding(path, 0, f"the lock says lib-helm {locked.version}")
