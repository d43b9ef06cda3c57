"""Bringing labelled images to their names: contents first, names last, nothing twice."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from orchestrator.errors import RegistryError, VerificationError
from orchestrator.events import Tell
from orchestrator.model import Digest, Reference, Repository
from orchestrator.publishing import labels as labels_
from orchestrator.publishing.labels import Built, Content
from orchestrator.publishing.plan import Name
from orchestrator.registry.client import Registry
from orchestrator.registry.copy import copy_blob
from orchestrator.registry.manifest import Descriptor

STAGE: Final = "publish"
_CONFIG_LIMIT: Final = 16 * 1024 * 1024


class State(StrEnum):
    CREATED = "created"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One name as it stands in the end; `was` is the digest that it replaced."""

    name: Name
    source: Reference
    digest: Digest
    state: State
    was: Digest | None = None

    @property
    def reference(self) -> Reference:
        return Reference(self.name.target.repository, self.name.target.tag, self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    name: Name
    source: Reference
    content: Content
    was: Digest | None

    @property
    def place(self) -> Repository:
        return self.name.target.repository

    @property
    def needed(self) -> bool:
        return self.was != self.content.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blob:
    """A layer, to be taken from `source`, or a new config, whose `data` is at hand."""

    place: Repository
    descriptor: Descriptor
    source: Repository | None = None
    data: bytes = field(default=b"", repr=False)


def check_access(registry: Registry, names: Sequence[Name]) -> None:
    """Before a build: that what is not there yet can be written; raises RegistryError."""
    there = registry.map(lambda name: _there(registry, name.target), names)
    missing = [
        name.target.repository for name, was in zip(names, there, strict=True) if was is None
    ]
    registry.map(registry.check_push, dict.fromkeys(missing))


def publish(
    registry: Registry,
    names: Sequence[Name],
    sources: Mapping[str, Reference],
    tell: Tell,
    *,
    project: str | None,
    fallback: str,
) -> tuple[Published, ...]:
    """Publish `sources`, image by name; raises before any name is written if contents fail."""
    where = f"{len(names)} names of {len(sources)} images"
    tell("stage", stage=STAGE, state="run", reason=where)
    found = registry.map(lambda source: _read(registry, source), sources.values())
    built = dict(zip(sources, found, strict=True))
    there = registry.map(lambda name: _there(registry, name.target), names)
    jobs = [
        _Job(
            name=name,
            source=sources[name.image],
            content=labels_.labelled(
                built[name.image],
                labels_.labels(name, project=project, fallback=fallback),
                str(sources[name.image]),
            ),
            was=was,
        )
        for name, was in zip(names, there, strict=True)
    ]
    needed = [job for job in jobs if job.needed]
    _send(registry, needed)
    registry.map(lambda job: _name(registry, job), needed)
    published = tuple(map(_published, jobs))
    for each in published:
        _say(each, tell)
    tell("stage", stage=STAGE, state="done")
    return published


def _read(registry: Registry, reference: Reference) -> Built:
    manifest = registry.manifest(reference)
    if manifest is None:
        raise VerificationError(
            f"{reference} was built, but is not in the registry", hint="build it again"
        )
    here = reference.repository
    if manifest.is_index:
        digests = [image.digest for image in labels_.images(manifest)]
        children = registry.map(lambda digest: _read(registry, here.at(digest)), digests)
        return Built(manifest=manifest, children=dict(zip(digests, children, strict=True)))
    config = registry.read_blob(here, manifest.config.digest, _CONFIG_LIMIT)
    return Built(manifest=manifest, config=config)


def _there(registry: Registry, target: Reference) -> Digest | None:
    """Some registries deny reading a repository before its first push."""
    try:
        found = registry.head(target)
    except RegistryError as error:
        if error.status == 403:
            return None
        raise
    return found.digest if found else None


def _send(registry: Registry, jobs: Sequence[_Job]) -> None:
    """Everything but names: access to all repositories, blobs, manifests by digest."""
    registry.map(registry.check_push, dict.fromkeys(job.place for job in jobs))
    blobs = {(blob.place, blob.descriptor.digest): blob for job in jobs for blob in _blobs(job)}
    registry.map(lambda blob: _store_blob(registry, blob), blobs.values())
    images: dict[tuple[Repository, Digest], Content] = {}
    indexes: dict[tuple[Repository, Digest], Content] = {}
    for job in jobs:
        for content in (*job.content.children, job.content):
            kind = indexes if content.children else images
            kind[job.place, content.digest] = content
    for manifests in (images, indexes):
        registry.map(lambda item: _store(registry, item[0][0], item[1]), manifests.items())


def _blobs(job: _Job) -> Iterator[_Blob]:
    for content in job.content.children or (job.content,):
        for layer in content.layers:
            yield _Blob(place=job.place, descriptor=layer, source=job.source.repository)
        if content.config is not None:
            yield _Blob(place=job.place, descriptor=content.config, data=content.config_data)


def _store_blob(registry: Registry, blob: _Blob) -> None:
    if blob.source is not None:
        copy_blob(registry, blob.descriptor, blob.source, blob.place)
    else:
        digest, size = blob.descriptor.digest, blob.descriptor.size
        registry.put_blob(blob.place, digest, size, lambda: [blob.data])


def _store(registry: Registry, place: Repository, content: Content) -> None:
    reference = place.at(content.digest)
    if registry.head(reference) is None:
        registry.put_manifest(reference, content.manifest, content.media_type)


def _name(registry: Registry, job: _Job) -> None:
    target, content = job.name.target, job.content
    registry.put_manifest(target, content.manifest, content.media_type)
    found = registry.head(target)
    if found is None or found.digest != content.digest:
        raise VerificationError(
            f"{target} reads back as {found.digest if found else 'nothing'}, not as {content.digest}",
            hint="another publisher may be at work; run the same command again",
        )


def _published(job: _Job) -> Published:
    state = State.CREATED
    if job.was is not None:
        state = State.REPLACED if job.needed else State.UNCHANGED
    was = job.was if state is State.REPLACED else None
    return Published(
        name=job.name, source=job.source, digest=job.content.digest, state=state, was=was
    )


def _say(published: Published, tell: Tell) -> None:
    target = str(published.name.target)
    if published.state is State.REPLACED:
        tell("replaced", reference=target, was=published.was, digest=published.digest)
    else:
        event = "pushed" if published.state is State.CREATED else "present"
        tell(event, reference=target, digest=published.digest)
