"""The names of a publication, literally those of the old werf's documentation, and what is refused."""

from collections.abc import Sequence

import pytest

from orchestrator.ci import variables
from orchestrator.errors import ConfigError
from orchestrator.model import Reference, Repository
from orchestrator.publishing import plan
from orchestrator.publishing.tags import Strategy

SYSTEM = "registry.hello.com/web/core/system"
IMAGES = ("frontend", "backend")


def named(
    images: Sequence[str],
    repo: str | None = None,
    *,
    environ: dict[str, str] | None = None,
    custom: tuple[str, ...] = (),
    style: str = "werf-v1",
) -> list[str]:
    environ = environ or {}
    repo = repo or environ.get("WERF_IMAGES_REPO")
    wanted = plan.parameters(repo, {Strategy.CUSTOM: custom}, environ, style=style)
    return [str(name.target) for name in plan.names(wanted, images)]


def job(repository: str, **environ: str) -> dict[str, str]:
    environ["CI_REGISTRY_IMAGE"] = repository
    return dict(variables.derive("gitlab", environ, strategy="tag-or-branch").values)


def test_two_images() -> None:
    assert named(IMAGES, SYSTEM, custom=("v1.2.0",)) == [
        "registry.hello.com/web/core/system/backend:v1.2.0",
        "registry.hello.com/web/core/system/frontend:v1.2.0",
    ]


def test_two_images_in_a_gitlab_job() -> None:
    environ = job(SYSTEM, CI_COMMIT_REF_NAME="core/feature/ADD_SETTINGS")
    assert named(IMAGES, environ=environ) == [
        "registry.hello.com/web/core/system/backend:core-feature-add-settings-c3fd80df",
        "registry.hello.com/web/core/system/frontend:core-feature-add-settings-c3fd80df",
    ]
    assert named(["backend"], environ=environ, style="werf") == [
        "registry.hello.com/web/core/system/backend:core-feature-add-settings-df80fdc3"
    ]


def test_an_unnamed_image_in_a_gitlab_job() -> None:
    environ = job("registry.hello.com/web/core/queue", CI_COMMIT_TAG="v2.3.1")
    assert named([""], environ=environ) == ["registry.hello.com/web/core/queue:v2-3-1-5cb8b0a4"]
    assert named([""], environ=environ, style="werf") == [
        "registry.hello.com/web/core/queue:v2.3.1"
    ]


def test_two_images_with_multiple_tags_in_a_gitlab_job() -> None:
    environ = job(SYSTEM, CI_COMMIT_REF_NAME="rework-cache")
    custom = ("feature-using-cache", "my-test-branch")
    assert named(IMAGES, environ=environ, custom=custom) == [
        "registry.hello.com/web/core/system/backend:rework-cache",
        "registry.hello.com/web/core/system/frontend:rework-cache",
        "registry.hello.com/web/core/system/backend:feature-using-cache",
        "registry.hello.com/web/core/system/frontend:feature-using-cache",
        "registry.hello.com/web/core/system/backend:my-test-branch",
        "registry.hello.com/web/core/system/frontend:my-test-branch",
    ]


def test_everything_wrong_with_the_parameters_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as found:
        plan.parameters(None, {Strategy.CUSTOM: ("a b", "")}, {}, style="werf")
    assert [finding.origin for finding in found.value.findings] == [
        "--tag-custom",
        "--tag-custom",
        "--images-repo",
    ]


@pytest.mark.parametrize(
    "repo", ["", None, "web/core", "https://r.io/web", "r.io/Web", "r.io/web:x"]
)
def test_bad_images_repos(repo: str | None) -> None:
    with pytest.raises(ConfigError) as found:
        plan.parameters(repo, {Strategy.CUSTOM: ("v1",)}, {}, style="werf")
    assert [finding.origin for finding in found.value.findings] == ["--images-repo"]


def test_no_tag_at_all() -> None:
    with pytest.raises(ConfigError, match="cannot be published") as found:
        plan.parameters(SYSTEM, {}, {"WERF_TAG_GIT_TAG": ""}, style="werf")
    assert "--tag-git-tag, --tag-git-branch, --tag-git-commit, --tag-custom" in str(
        found.value.findings[0]
    )


def test_a_nameless_image_stands_alone() -> None:
    with pytest.raises(ConfigError, match="beside named ones: backend"):
        named(["", "backend"], SYSTEM, custom=("v1",))


def test_names_that_no_repository_can_have() -> None:
    assert named(["images/backend"], SYSTEM, custom=("v1",)) == [f"{SYSTEM}/images/backend:v1"]
    with pytest.raises(ConfigError) as found:
        named(["Backend", "a b", "good"], SYSTEM, custom=("v1",))
    assert [finding.origin for finding in found.value.findings] == ["image Backend", "image a b"]


def test_no_images() -> None:
    with pytest.raises(ConfigError, match="no images to publish"):
        named([], SYSTEM, custom=("v1",))


def test_images_by_name() -> None:
    assert plan.chosen(["a", "b", ""], ["b", "~", "b"]) == ["", "b"]
    with pytest.raises(ConfigError, match="not there") as found:
        plan.chosen(["backend", ""], ["bakend", "zzz"])
    assert [str(finding) for finding in found.value.findings] == [
        "bakend: there is no such image; did you mean backend?",
        "zzz: there is no such image",
    ]
    assert found.value.hint == "there are: backend, ~"


def test_other_images_are_spared() -> None:
    wanted = plan.parameters("r.io/m", {Strategy.CUSTOM: ("v1",)}, {}, style="werf")
    names = plan.names(wanted, ["echo", "other"])
    plan.spare(names, repositories=[Repository.parse("r.io/m")])
    plan.spare(names, references=[Reference.parse("r.io/m/echo:v2")])
    for taken in (
        {"repositories": [Repository.parse("r.io/m/echo")]},
        {"references": [Reference.parse("r.io/m/echo:v1@sha256:" + "0" * 64)]},
    ):
        with pytest.raises(ConfigError, match="over other ones") as found:
            plan.spare(names, **taken)  # type: ignore[arg-type]
        assert [finding.origin for finding in found.value.findings] == ["r.io/m/echo:v1"]
