"""Two rendered configs, compared: every difference that matters is found, and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import bundle
from orchestrator.errors import ConfigError
from orchestrator.scaffold.compare import Config, Contents, differences, matches
from orchestrator.shape import Shape

PATHS = (
    *("Chart.yaml", "changelog.yaml", "docs/README.md", "docs/internal/x.md", "module.yaml"),
    *("images/a/Dockerfile", "templates/deep/er.yaml", "werf-giterminism.yaml"),
)
GENERATED = """
project: m
configVersion: 1
---
image: a
context: images/a
dockerfile: Dockerfile
---
image: tools
final: false
from: r.example.io/alpine:3
---
image: b
fromImage: tools
git:
  - add: /images/b
    to: /
"""
OWN = f"""{GENERATED}
---
image: digests
final: false
fromImage: tools
dependencies:
  - image: a
    before: setup
    imports: [{{type: ImageDigest, targetEnv: MODULE_IMAGE_DIGEST_a}}]
  - image: b
    before: setup
    imports: [{{type: ImageDigest, targetEnv: MODULE_IMAGE_DIGEST_b}}]
---
image: bundle
from: r.example.io/scratch:1
import:
  - image: digests
    add: /
    to: /
    includePaths: [images_digests.json, version.json]
    after: setup
git:
  - add: /
    to: /
    includePaths: [Chart.yaml, "docs/*.md", module.yaml, templates]
---
image: release
from: r.example.io/scratch:1
import:
  - image: digests
    add: /
    to: /
    includePaths: [version.json]
    after: setup
git:
  - add: /
    to: /
    includePaths: [changelog.yaml, module.yaml]
"""


def unlike(own: str, generated: str = GENERATED, paths: tuple[str, ...] = PATHS) -> list[str]:
    return differences(
        Config.parse(own, "own"),
        Config.parse(generated, "generated"),
        contents=Contents(
            paths=paths,
            module=frozenset({*bundle.module_files(paths, Shape()), "images_digests.json"}),
            release=frozenset({*bundle.release_files(paths, Shape(), "v0.0.0"), "version.json"}),
        ),
        bundle="bundle",
        release="release",
    )


def test_the_same_in_other_words() -> None:
    assert unlike(OWN) == []
    prefixed = OWN.replace("image: a\n", "image: images/a\n").replace(
        "images/a\nd", "/images/a/\nd"
    )
    assert unlike(prefixed) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("image: b\n", "image: c\n", "image b: the hand-written config has no such final image"),
        ("image: a\ncontext", "image: a\nfinal: false\ncontext", "image a: the hand-written"),
        ("dockerfile: Dockerfile", "dockerfile: Other", "image a: dockerfile would change"),
        ("alpine:3", "alpine:4", "image tools: from would change"),
        ("add: /images/b", "add: /images/c", "image b: git would change"),
        ("DIGEST_b", "DIGEST_bee", "images_digests.json: the generated one has no key bee"),
        (", templates]", "]", "module image bundle: the hand-written one lacks templates/deep/er"),
        ("[Chart.yaml,", "[werf-giterminism.yaml, Chart.yaml,", "the generated one lacks werf-g"),
        ("[images_digests.json, ", "[", "the hand-written one lacks images_digests.json"),
        ("[changelog.yaml, ", "[", "release image release: the hand-written one lacks changelog"),
        ("[version.json]", "[version.json, vex]", "image release: it takes version.json, vex"),
        (
            "image: bundle",
            "image: other",
            "image bundle: the hand-written config does not build it",
        ),
        ("r.example.io/scratch:1\nimport", "debian:12\nimport", "what its base debian:12 holds"),
        (
            "image: release\n",
            "image: release\nshell: {setup: [x]}\n",
            "image release: it runs shell",
        ),
    ],
)
def test_each_difference_is_found(old: str, new: str, says: str) -> None:
    assert old in OWN
    found = unlike(OWN.replace(old, new))
    assert any(says in each for each in found), found


def test_an_image_below_another_one_has_to_be_generated_too() -> None:
    without = GENERATED.replace("image: tools\n", "image: others\n")
    assert any(
        "image tools: the generated config does not declare it" in e for e in unlike(OWN, without)
    )


def test_an_unreadable_config() -> None:
    with pytest.raises(ConfigError):
        Config.parse("image: [\n", "own")


@pytest.mark.parametrize(
    ("path", "glob", "fits"),
    [
        ("docs/a.md", "docs", True),
        ("docs/a/b.md", "docs/*.md", False),
        ("docs/a/b.md", "docs/*", True),
        ("docs/a/b.md", "docs/**/*.md", True),
        ("docs/b.md", "docs/**/*.md", True),
        ("docs2/a", "docs", False),
        ("a", "", True),
        ("a/b", "**/*", True),
        ("charts/x.tgz", "charts/*.tgz", True),
        ("a.b", "a?b", True),
    ],
)
def test_globs_are_those_of_werf(path: str, glob: str, fits: bool) -> None:
    assert matches(path, [glob]) is fits


@given(st.text("abc/*?.[", max_size=12), st.text("abc/.", min_size=1, max_size=12))
def test_any_glob_gives_an_answer(glob: str, path: str) -> None:
    assert matches(path, [glob]) in {True, False}
