"""Rules about images: their keys in images_digests.json, their names in templates, their files."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from orchestrator.artifacts import image_key
from orchestrator.errors import Finding
from orchestrator.lint.sources import Sources
from orchestrator.lint.werf import Image
from orchestrator.module import Check, asked_images
from orchestrator.schema import suggestion
from orchestrator.shape import Shape

# Images for attestations: newer modules leave them out of images_digests.json.
_NOT_LISTED: Final = "-vex-artifact"
_ASKED_BY_VARIABLE: Final = re.compile(
    r'helm_lib_module_image\w*"\s+\(\s*list\s+[.$]\S*\s+(?!"[^"]*"\s*\))'
)
_BRANCH: Final = re.compile(r"\{\{-?\s*(if|else|range|with)\b")


def _listed(sources: Sources) -> list[Image]:
    """Images that get a key, so far as their names are known."""
    return [
        image
        for image in sources.config.images
        if image.final is not False and not image.name.text.endswith(_NOT_LISTED)
    ]


def _certain(sources: Sources) -> dict[str, Image]:
    """Name -> image, for what is final without doubt and belongs to images/."""
    certain: dict[str, Image] = {}
    for image in _listed(sources):
        own = image.directory is not None or "images/" in image.name.text
        if own and image.final and image.name.exact and image.name.text:
            certain.setdefault(image.name.text, image)
    return certain


def key_collision(sources: Sources) -> Iterator[Finding]:
    by_key = defaultdict(list)
    for name, image in sorted(_certain(sources).items()):
        by_key[image_key(name)].append((name, image))
    for key, (first, *others) in by_key.items():
        for name, image in others:
            message = f"the image {name} has the key {key} of the image {first[0]}: one is lost"
            yield Finding(image.path, image.line, message)


def lost_key(sources: Sources) -> Iterator[Finding]:
    for name, image in sorted(_certain(sources).items()):
        key = image_key(name)
        if "_" in key:
            message = f"the key {key} of the image {name} holds _: its digest is lost"
            yield Finding(image.path, image.line, message)


def image_name(sources: Sources) -> Iterator[Finding]:
    yield from sources.examined.findings[Check.IMAGES]


def unknown_image(sources: Sources) -> Iterator[Finding]:
    listed = _listed(sources)
    keys = [image_key(image.name.text) for image in listed if image.name.exact]
    for path, line, asked in asked_images(sources.files):
        if not any(image.name.may_have_key(asked) for image in listed):
            yield Finding(path, line, f"no image has the key {asked}{suggestion(asked, keys)}")


def unused_image(sources: Sources) -> Iterator[Finding]:
    """Silent where a template asks by a variable; lib-helm asks for images of CSI by itself."""
    texts = [
        text
        for path, text in sources.texts.items()
        if path.startswith(("templates/", "hooks/", "images/hooks/"))
    ]
    whole = "\n".join(texts)
    if not sources.matching(r"templates/.*") or _ASKED_BY_VARIABLE.search(whole):
        return
    used = {use.name.text for use in sources.config.uses}
    for name, image in sorted(_certain(sources).items()):
        key = image_key(name)
        by_library = key.startswith("csi") and "helm_lib_csi_" in whole
        if not (key in whole or by_library or name in used):
            yield Finding(image.path, image.line, f"no template uses the image {key}")


def two_build_files(sources: Sources) -> Iterator[Finding]:
    """Silent where the settings say which of both counts."""
    if not sources.own_werf and sources.shape.build_files == Shape().build_files:
        for path in sorted(sources.paths):
            found = re.fullmatch(r"(images/[^/]+)/Dockerfile", path)
            if found and f"{found[1]}/werf.inc.yaml" in sources.paths:
                text = sources.texts.get(f"{found[1]}/werf.inc.yaml", "")
                if "dockerfile:" not in text:
                    yield Finding(path, 0, "werf.inc.yaml beside it is built, and this file is not")


def unread_dockerfile(sources: Sources) -> Iterator[Finding]:
    texts = sources.config.texts.values()
    if not sources.own_werf or any("dockerfile:" in text for text in texts):
        return
    for path in sorted(sources.paths):
        found = re.fullmatch(r"(images/[^/]+)/Dockerfile", path)
        if found and f"{found[1]}/werf.inc.yaml" not in sources.paths:
            yield Finding(path, 0, "nothing in the werf config builds a Dockerfile")


def unread_fragment(sources: Sources) -> Iterator[Finding]:
    if not sources.own_werf:
        return
    for path in sorted(sources.paths):
        fragment = re.fullmatch(r"images/[^/]+/werf\.inc\.yaml", path)
        if fragment and path not in sources.config.texts:
            yield Finding(path, 0, "nothing in the werf config reads a werf.inc.yaml")


def duplicate_image(sources: Sources) -> Iterator[Finding]:
    """Only where no branch of a template can choose between the two."""
    first: dict[str, Image] = {}
    for image in sources.config.images:
        if not image.name.exact or _BRANCH.search(sources.config.texts.get(image.path, "")):
            continue
        before = first.setdefault(image.name.text, image)
        if before is not image:
            message = f"the image {image.name.text} is declared in {before.path}:{before.line} too"
            yield Finding(image.path, image.line, message)
