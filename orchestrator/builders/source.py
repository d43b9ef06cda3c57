"""The images of a rendered config that a Dockerfile describes, and a hash of what each is built from."""

import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.builders import BuildRequest
from orchestrator.builders.dockerfile import context_of, image_documents, needs_werf, path_of
from orchestrator.builders.ignore import ignored
from orchestrator.builders.werf import GET_WERF
from orchestrator.errors import ConfigError, Finding, ToolMissing
from orchestrator.git import Tree
from orchestrator.templating import documents

PLATFORM: Final = "linux/amd64"

# Part of every content hash: raise it when the way of building changes what comes out.
_REVISION: Final = 2
_KNOWN_FIELDS: Final = frozenset({"args", "context", "dockerfile", "final", "image", "target"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One image document, read; `keep` says which paths below the context the builder sees."""

    name: str
    context: str
    dockerfile: str
    text: str
    args: Mapping[str, str]
    target: str
    final: bool
    keep: Callable[[str], bool]


def read_sources(request: BuildRequest) -> list[Source]:
    """Raises ToolMissing naming all images that only werf can build, ConfigError for the rest."""
    config = request.config.read_text("utf-8")
    for_werf = [
        Finding(_fragment(document), 0, "only werf can build it")
        for document in documents(config)
        if needs_werf(document) and "tpl (" in document
    ]
    wrong = []
    sources = []
    for document in image_documents(config):
        unknown = sorted(document.keys() - _KNOWN_FIELDS)
        if "dockerfile" not in document or unknown:
            what = f"only werf knows {', '.join(unknown)}" if unknown else "only werf can build it"
            for_werf.append(Finding(f"image {document['image']}", 0, what))
        elif problem := _problem(document, request.tree):
            wrong.append(Finding(path_of(document), 0, problem))
        else:
            sources.append(_source(document, request.tree))
    if for_werf:
        raise ToolMissing(
            "buildah cannot build all images of this module",
            hint=GET_WERF,
            details="\n".join(map(str, [*for_werf, *wrong])),
        )
    if wrong:
        raise ConfigError("the images cannot be built", wrong)
    return sources


def content(source: Source, tree: Tree, bases: Iterable[tuple[str, str]]) -> str:
    """56 hex digits over everything that decides what is built; `bases` are names and digests."""
    parts = {
        "revision": _REVISION,
        "platform": PLATFORM,
        "dockerfile": source.text,
        "args": dict(source.args),
        "target": source.target,
        "bases": sorted(set(bases)),
        "files": [entry for entry in tree.listing(source.context) if source.keep(entry[0])],
    }
    return hashlib.sha3_224(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _fragment(document: str) -> str:
    found = re.search(r'"(images/[^"]+)"', document)
    return found[1] if found else "a fragment"


def _problem(document: Mapping[str, Any], tree: Tree) -> str | None:
    path = path_of(document)
    if path not in set(tree.paths()):
        return "there is no such Dockerfile in git"
    return "a Dockerfile that is a symlink is not read" if tree.is_symlink(path) else None


def _source(document: Mapping[str, Any], tree: Tree) -> Source:
    path, context = path_of(document), context_of(document)
    there = set(tree.paths())
    candidates = (f"{path}.dockerignore", posixpath.normpath(f"{context}/.dockerignore"))
    ignore = next((name for name in candidates if name in there), None)
    texts = tree.read_all([path, *([ignore] if ignore else [])])
    left_out = ignored(texts[ignore].decode(errors="replace") if ignore else "")
    return Source(
        name=str(document["image"]),
        context=context,
        dockerfile=path,
        text=texts[path].decode(errors="replace"),
        args={str(k): str(v) for k, v in (document.get("args") or {}).items()},
        target=str(document.get("target") or ""),
        final=document.get("final") is not False,
        keep=lambda below: not left_out(below),
    )
