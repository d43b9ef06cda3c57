"""The names of a publication: one for each image and each tag."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.errors import ConfigError, Finding
from orchestrator.model import Reference, Repository
from orchestrator.publishing import tags as tags_
from orchestrator.publishing.tags import Strategy, Tag

# How werf writes the image without a name, whose name is empty.
NAMELESS: Final = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Where to, and under which tags."""

    repository: Repository
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """One image under one tag; `image` is empty for the nameless one."""

    image: str
    tag: Tag
    target: Reference


def parameters(
    images_repo: str | None,
    flags: Mapping[Strategy, Sequence[str]],
    environ: Mapping[str, str],
    *,
    style: str,
) -> Parameters:
    """Checked; raises ConfigError with all that is wrong."""
    asked = tags_.requested(flags, environ)
    made, findings = tags_.make(asked, style)
    if not asked:
        flag_names = ", ".join(strategy.flag for strategy in Strategy)
        findings.append(Finding("tags", 0, f"no tag is given; give one or more of {flag_names}"))
    repository = None
    if not images_repo:
        findings.append(
            Finding("--images-repo", 0, "it is missing; give it, or set $WERF_IMAGES_REPO")
        )
    else:
        try:
            repository = Repository.parse(images_repo)
        except ConfigError as error:
            hint = f"; {error.hint}" if error.hint else ""
            findings.append(Finding("--images-repo", 0, f"{error.message}{hint}"))
    if findings or repository is None:
        raise ConfigError(
            "the images cannot be published so",
            findings,
            hint="correct the parameters; nothing was built or published",
        )
    return Parameters(repository=repository, tags=made)


def names(wanted: Parameters, images: Iterable[str]) -> tuple[Name, ...]:
    """All names, tag by tag, images sorted; raises ConfigError."""
    images = sorted(images)
    if not images:
        raise ConfigError("there are no images to publish")
    if "" in images and len(images) > 1:
        named = ", ".join(image for image in images if image)
        raise ConfigError(
            f"an image without a name stands beside named ones: {named}",
            hint=f"give it a name in werf.yaml, or publish one of them: {NAMELESS} is the nameless one",
        )
    places: dict[str, Repository] = {}
    findings = []
    for image in images:
        try:
            places[image] = wanted.repository / image if image else wanted.repository
        except ConfigError as error:
            findings.append(Finding(f"image {image}", 0, error.message))
    if findings:
        raise ConfigError(
            "images have names that no repository can have",
            findings,
            hint="rename them, or name the images to publish",
        )
    return tuple(
        Name(image=image, tag=tag, target=places[image].tagged(tag.tag))
        for tag in wanted.tags
        for image in images
    )


def chosen(images: Iterable[str], asked: Sequence[str]) -> list[str]:
    """The images that were asked for, by name; raises ConfigError for one that there is not."""
    known = list(images)
    wanted = ["" if name == NAMELESS else name for name in asked]
    findings = []
    for name in wanted:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            tip = f"; did you mean {close[0]}?" if close else ""
            findings.append(Finding(name or NAMELESS, 0, f"there is no such image{tip}"))
    if findings:
        shown = ", ".join(sorted(name or NAMELESS for name in known)) or "none"
        raise ConfigError(
            "images that are not there were asked for", findings, hint=f"there are: {shown}"
        )
    return sorted(set(wanted))


def spare(
    planned: Iterable[Name],
    *,
    repositories: Collection[Repository] = (),
    references: Iterable[Reference] = (),
) -> None:
    """Refuse names in these repositories and over these references; raises ConfigError."""
    built = {(reference.repository, reference.tag) for reference in references}
    findings = {
        Finding(str(name.target), 0, "other images of the module, or a built one, lie there")
        for name in planned
        if name.target.repository in repositories
        or (name.target.repository, name.target.tag) in built
    }
    if findings:
        raise ConfigError(
            "images would be published over other ones",
            sorted(findings),
            hint="choose another images repo",
        )
