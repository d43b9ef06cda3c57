"""The images of a rendered config that a Dockerfile describes, read from git for a builder of ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.builders import BuildRequest
from orchestrator.builders.dockerfile import image_documents, needs_werf, path_of
from orchestrator.builders.werf import GET_WERF
from orchestrator.errors import Finding, ToolMissing
from orchestrator.templating import documents

_KNOWN_FIELDS: Final = frozenset({"args", "context", "dockerfile", "final", "image", "target"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An image document, with the Dockerfile and the ignore file that it names."""

    name: str
    context: str
    dockerfile: str
    text: str
    args: Mapping[str, str]
    target: str
    final: bool
    ignore: str | None


def read_sources(request: BuildRequest) -> list[Source]:
    """The images to build; raises ConfigError naming all that only werf can build."""
    text = request.config.read_text("utf-8")
    findings = [
        Finding(_fragment(document), 0, "only werf can build it")
        for document in documents(text)
        if needs_werf(document) and "tpl (" in document
    ]
    sources = []
    there = set(request.tree.paths())
    for document in image_documents(text):
        unknown = sorted(document.keys() - _KNOWN_FIELDS)
        if "dockerfile" not in document or unknown:
            what = f"only werf knows {', '.join(unknown)}" if unknown else "only werf can build it"
            findings.append(Finding(f"image {document['image']}", 0, what))
        elif path_of(document) not in there:
            findings.append(Finding(path_of(document), 0, "there is no such Dockerfile in git"))
        else:
            sources.append(_source(document, request, there))
    if findings:
        raise ToolMissing(
            "buildah cannot build all images of this module",
            hint=GET_WERF,
            details="\n".join(map(str, findings)),
        )
    return sources


def _fragment(document: str) -> str:
    found = re.search(r'"(images/[^"]+)"', document)
    return found[1] if found else "a fragment"


def _source(document: Mapping[str, Any], request: BuildRequest, there: set[str]) -> Source:
    path = path_of(document)
    context = str(document.get("context", "."))
    candidates = (f"{path}.dockerignore", f"{context.rstrip('/')}/.dockerignore")
    ignore = next((name for name in candidates if name in there), None)
    texts = request.tree.read_all([path, *([ignore] if ignore else [])])
    return Source(
        name=str(document["image"]),
        context=context,
        dockerfile=path,
        text=texts[path].decode(errors="replace"),
        args={str(k): str(v) for k, v in (document.get("args") or {}).items()},
        target=str(document.get("target") or ""),
        final=document.get("final") is not False,
        ignore=texts[ignore].decode(errors="replace") if ignore else None,
    )
