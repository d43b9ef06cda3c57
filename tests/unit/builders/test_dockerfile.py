"""What a Dockerfile takes from outside, and .dockerignore."""

from collections.abc import Iterable

import pytest

from orchestrator.builders.dockerfile import (
    externals,
    image_documents,
    instructions,
    renamed,
    unpinned,
)
from orchestrator.builders.ignore import ignored

PINNED = "r.io/base@sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("FROM scratch", []),
        ("FROM alpine:3.20", ["alpine:3.20"]),
        ("FROM --platform=linux/amd64 r.io/a AS x\nFROM x\nFROM 0", ["r.io/a"]),
        ("FROM r.io/a AS Build\nFROM scratch\nCOPY --from=build /a /a", ["r.io/a"]),
        ("FROM scratch\nCOPY --from=r.io/tool:1 /a /a", ["r.io/tool:1"]),
        ("FROM scratch\nCOPY --from=0 /a /a", []),
        ("ARG BASE=r.io/a:1\nFROM ${BASE}", ["r.io/a:1"]),
        ("ARG BASE\nFROM $BASE", ["r.io/given"]),
        ("ARG V=1\nARG FULL=r.io/a:${V}\nFROM $FULL", ["r.io/a:1"]),
        ("FROM ${NONE:-r.io/d}", ["r.io/d"]),
        ("# syntax=docker/dockerfile:1\nFROM scratch", ["docker/dockerfile:1"]),
        ("FROM scratch\nADD https://x.io/a.tgz /", ["https://x.io/a.tgz"]),
        ("FROM scratch\nADD --checksum=sha256:1 https://x.io/a.tgz /", []),
        ("FROM scratch\nADD local /", []),
        ("FROM scratch\nRUN --mount=type=secret,id=x cat", ["a secret or an SSH key"]),
        ("FROM scratch\nRUN --mount=type=bind,from=r.io/b,target=/b true", ["r.io/b"]),
        ("from \\\n  r.io/a \\\n  as b\nfrom b", ["r.io/a"]),
        ("FROM scratch\nRUN <<EOF\nFROM nothing\nEOF\nCOPY --from=r.io/c a b", ["r.io/c"]),
        ("# FROM r.io/comment\nFROM scratch", []),
        ("# escape=`\n# syntax = docker/dockerfile:1\nFROM scratch", ["docker/dockerfile:1"]),
        ("# a comment\n# syntax=docker/dockerfile:1\nFROM scratch", []),
        ("ARG A=r.io/a B='r.io/b'\nFROM $A AS x\nFROM ${B}", ["r.io/a", "r.io/b"]),
        ("FROM r.io/a:${TARGETARCH}", ["r.io/a:amd64"]),
        ("ARG TARGETOS\nFROM r.io/${TARGETOS}", ["r.io/linux"]),
        ("FROM scratch\nRUN echo $((1<<x))\nCOPY --from=r.io/c a b", ["r.io/c"]),
        ("FROM scratch\nCOPY <<-'E' /a\nFROM r.io/no\n\tE\nCOPY --from=r.io/c a b", ["r.io/c"]),
        ("FROM scratch\nRUN echo \x0c\u2028FROM r.io/no", []),
    ],
)
def test_externals(text: str, names: list[str]) -> None:
    assert [
        each.name
        for each in externals(text, {"BASE": "r.io/given"} if "ARG BASE\n" in text else {})
    ] == names


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("FROM a AS a\nFROM a", "FROM new AS a\nFROM a"),
        ("FROM a\nFROM a", "FROM new\nFROM new"),
        ("from --platform=x \\\n  # a\n  a \\\n as b", None),
        ("ARG B=a\nFROM ${B}\nLABEL b=${B}", "ARG B=a\nFROM new\nLABEL b=${B}"),
        ("FROM scratch\nCOPY --from=a a /a", "FROM scratch\nCOPY --from=new a /a"),
        (
            "FROM scratch\nRUN --mount=type=bind,from=a,target=/a cat a",
            "FROM scratch\nRUN --mount=type=bind,from=new,target=/a cat a",
        ),
        ("FROM aa AS b\nCOPY --from=aa.b x y", "FROM new AS b\nCOPY --from=new x y"),
        ("FROM a\r\nCOPY x y\r\n", "FROM new\r\nCOPY x y\r\n"),
    ],
)
def test_other_names_for_base_images(text: str, becomes: str | None) -> None:
    names = {external: "new" for external in externals(text, {}) if external.image}
    assert renamed(text, names) == (becomes or text.replace("\n  a ", "\n  new "))


def test_lines() -> None:
    found = instructions("# c\nFROM a\n\nRUN x \\\n  # c\n  y\nCOPY a b")
    assert [(each.name, each.line) for each in found] == [("FROM", 2), ("RUN", 4), ("COPY", 7)]


class Files:
    def __init__(self, **files: str) -> None:
        self._files = {f"images/{name}/Dockerfile": text for name, text in files.items()}

    def paths(self) -> Iterable[str]:
        return self._files

    def read_all(self, paths: Iterable[str]) -> dict[str, bytes]:
        return {path: self._files[path].encode() for path in paths}


CONFIG = "project: x\n---\nimage: a\ncontext: images/a\ndockerfile: Dockerfile\n"


def test_pinned() -> None:
    assert unpinned(CONFIG, Files(a=f"FROM {PINNED}")) is None
    assert unpinned("project: x\n", Files()) is None
    assert unpinned(CONFIG, Files(a="FROM scratch\nFROM r.io/b:1")) == (
        "images/a/Dockerfile:2: r.io/b:1 has no digest"
    )
    assert "only werf" in str(unpinned("---\nimage: a\nfrom: x\n", Files()))
    assert "fragments" in str(unpinned('---\n{{ tpl (.Files.Get "x") . }}\n', Files()))


def test_escaped_braces_are_plain_text() -> None:
    text = '---\nimage: a\ndockerfile: Dockerfile\nargs:\n  A: "{{ "{{" }} x }}"\n'
    (document,) = image_documents(text)
    assert document["args"] == {"A": "{{ x }}"}


@pytest.mark.parametrize(
    ("patterns", "out", "kept"),
    [
        ("*.md", ["a.md"], ["b/a.md", "a.mdx"]),
        ("**/*.md", ["a.md", "b/c/a.md"], ["a.txt"]),
        ("docs", ["docs", "docs/a"], ["x/docs"]),
        ("/docs/", ["docs/a"], ["documents"]),
        ("*\n!keep\n!dir", ["a", "b/c"], ["keep", "dir/x"]),
        ("a?c\n[x-z]1", ["abc", "y1"], ["ac", "w1"]),
        ("# comment\n\n  spaced  ", ["spaced"], ["# comment"]),
        ("!a\na", ["a"], []),
        ("./a/./b/../c", ["a/c"], ["a/b"]),
        (".\n/", [], ["a"]),
        ("a/**/b", ["a/b", "a/x/y/b"], ["b"]),
        ("[", ["["], ["a"]),
    ],
)
def test_dockerignore(patterns: str, out: list[str], kept: list[str]) -> None:
    left_out = ignored(patterns)
    assert all(map(left_out, out))
    assert not any(map(left_out, kept))
