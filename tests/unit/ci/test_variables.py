"""What each CI system's job becomes, that a build would choose the same, and that shells read it back."""

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.ci import variables
from orchestrator.errors import ConfigError, UsageError
from orchestrator.settings import OPTIONS
from orchestrator.version import choose

GITLAB = {"CI_COMMIT_SHA": "c0ffee", "CI_REGISTRY_IMAGE": "registry.hello.com/web/core/system"}
GITHUB = {
    "GITHUB_SHA": "c0ffee",
    "GITHUB_REPOSITORY": "Flant/Echo",
    "GITHUB_SERVER_URL": "https://github.com",
}
PULL = {
    "GITHUB_REF": "refs/pull/333/merge",
    "GITHUB_REF_NAME": "333/merge",
    "GITHUB_REF_TYPE": "branch",
    "GITHUB_HEAD_REF": "feature/x",
}


def derived(system: str, strategy: str = "tag-or-branch", **environ: str) -> dict[str, str]:
    return dict(variables.derive(system, environ, strategy=strategy).values)


JOBS = [
    (
        "gitlab",
        {**GITLAB, "CI_COMMIT_TAG": "v2.3.1", "CI_COMMIT_REF_NAME": "v2.3.1"},
        {"WERF_TAG_GIT_TAG": "v2.3.1"},
        "v2.3.1",
    ),
    (
        "gitlab",
        {**GITLAB, "CI_COMMIT_REF_NAME": "core/feature/ADD_SETTINGS"},
        {"WERF_TAG_GIT_BRANCH": "core/feature/ADD_SETTINGS"},
        "core-feature-add-settings-df80fdc3",
    ),
    (
        "gitlab",
        {**GITLAB, "CI_COMMIT_REF_NAME": "feature/x", "CI_MERGE_REQUEST_IID": "12"},
        {"WERF_TAG_GIT_BRANCH": "feature/x"},
        "mr12",
    ),
    (
        "gitlab",
        {
            **GITLAB,
            "CI_COMMIT_REF_NAME": "refs/merge-requests/12/head",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/x",
            "CI_MERGE_REQUEST_IID": "12",
        },
        {"WERF_TAG_GIT_BRANCH": "feature/x"},
        "mr12",
    ),
    (
        "github",
        {**GITHUB, "GITHUB_REF_NAME": "v1.2.3", "GITHUB_REF_TYPE": "tag"},
        {"WERF_TAG_GIT_TAG": "v1.2.3"},
        "v1.2.3",
    ),
    (
        "github",
        {**GITHUB, "GITHUB_REF_NAME": "feature/x", "GITHUB_REF_TYPE": "branch"},
        {"WERF_TAG_GIT_BRANCH": "feature/x"},
        "feature-x-8339ecf4",
    ),
    ("github", {**GITHUB, **PULL}, {"WERF_TAG_GIT_BRANCH": "feature/x"}, "pr333"),
    (
        "github",
        {
            **GITHUB,
            "GITHUB_REF_NAME": "main",
            "GITHUB_REF_TYPE": "branch",
            "GITHUB_HEAD_REF": "evil",
        },
        {"WERF_TAG_GIT_BRANCH": "main"},
        "main",
    ),
    ("jenkins", {"TAG_NAME": "v1.2.3", "BRANCH_NAME": "v1.2.3"}, {"WERF_TAG_GIT_TAG": "v1.2.3"}, "v1.2.3"),
    ("jenkins", {"BRANCH_NAME": "main"}, {"WERF_TAG_GIT_BRANCH": "main"}, "main"),
    (
        "jenkins",
        {"BRANCH_NAME": "PR-7", "CHANGE_ID": "7", "CHANGE_BRANCH": "feature/x"},
        {"WERF_TAG_GIT_BRANCH": "feature/x"},
        "pr7",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("system", "environ", "tags", "version"), JOBS)
def test_a_job(system: str, environ: dict[str, str], tags: dict[str, str], version: str) -> None:
    found = derived(system, **environ)
    assert {name: found[name] for name in found if name.startswith("WERF_TAG_")} == tags
    assert found["MODULES_MODULE_TAG"] == version


@pytest.mark.parametrize(("system", "environ", "tags", "version"), JOBS)
def test_a_build_chooses_the_same_with_and_without(
    system: str, environ: dict[str, str], tags: dict[str, str], version: str
) -> None:
    given_ = derived(system, **environ)["MODULES_MODULE_TAG"]
    without = choose(None, environ, tags=(), branch=None)
    with_it = choose((given_, "$MODULES_MODULE_TAG"), environ, tags=(), branch=None)
    assert with_it.version == without.version
    assert with_it.version.tag == version


def test_every_variable_is_one_that_something_reads() -> None:
    read = {option.env for option in OPTIONS} | {
        "WERF_IMAGES_REPO",
        "WERF_TAG_GIT_TAG",
        "WERF_TAG_GIT_BRANCH",
        "WERF_TAG_GIT_COMMIT",
    }
    for system, environ, _, _ in JOBS:
        assert set(derived(system, **environ)) <= read


def test_repositories() -> None:
    found = derived("gitlab", **GITLAB, CI_COMMIT_REF_NAME="main")
    assert found["WERF_IMAGES_REPO"] == found["MODULES_MODULE_SOURCE"]
    assert found["WERF_IMAGES_REPO"] == "registry.hello.com/web/core/system"
    found = derived("github", **GITHUB, GITHUB_REF_NAME="main", GITHUB_REF_TYPE="branch")
    assert found["WERF_IMAGES_REPO"] == "ghcr.io/flant/echo"
    assert found["MODULES_MODULE_SOURCE"] == "ghcr.io/flant/modules"
    own = {**GITHUB, "GITHUB_SERVER_URL": "https://git.example.com", "GITHUB_REF_NAME": "v1.0.0"}
    assert sorted(derived("github", **own)) == ["MODULES_MODULE_TAG", "WERF_TAG_GIT_TAG"]


@pytest.mark.parametrize(
    ("system", "name"),
    [("gitlab", "CI_COMMIT_SHA"), ("github", "GITHUB_SHA"), ("jenkins", "GIT_COMMIT")],
)
def test_by_commit(system: str, name: str) -> None:
    found = derived(system, "commit", **{name: "c0ffee"})
    assert found == {"WERF_TAG_GIT_COMMIT": "c0ffee"}


@pytest.mark.parametrize("branch", ["stable", "v1.2.3"])
def test_a_branch_that_no_module_version_can_have_still_tags_images(branch: str) -> None:
    found = variables.derive("jenkins", {"BRANCH_NAME": branch}, strategy="tag-or-branch")
    assert found.values == {"WERF_TAG_GIT_BRANCH": branch}
    assert "MODULES_MODULE_TAG is left out" in found.warnings[0]


def test_an_unknown_system() -> None:
    with pytest.raises(UsageError, match="did you mean gitlab") as found:
        derived("GitLab")
    assert found.value.hint == "one of gitlab, github, jenkins"


@pytest.mark.parametrize("system", variables.SYSTEMS)
@pytest.mark.parametrize("strategy", variables.STRATEGIES)
def test_outside_a_job(system: str, strategy: str) -> None:
    for environ in ({}, {"CI_COMMIT_REF_NAME": "", "GITHUB_REF_NAME": "", "BRANCH_NAME": ""}):
        with pytest.raises(ConfigError, match=f"no job of {system}"):
            derived(system, strategy, **environ)


def test_what_is_set_is_left_alone_and_not_shown() -> None:
    found = variables.Derived(values={"WERF_IMAGES_REPO": "r.io/a", "WERF_TAG_GIT_TAG": "v1"})
    text = variables.lines(found, {"WERF_IMAGES_REPO": "x\nid", "WERF_TAG_GIT_TAG": ""})
    assert text == '# WERF_IMAGES_REPO is set already\nexport WERF_TAG_GIT_TAG="v1"\n'


@pytest.mark.parametrize("shell", ["bash", "sh"])
@given(
    values=st.lists(
        st.text(
            st.one_of(
                st.sampled_from("\"'`$\\!\n\t ;&|()<>{}*?~#=é\r"),
                st.characters(exclude_characters="\0", exclude_categories=("Cs",)),
                st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF),
            )
        ),
        max_size=20,
    )
)
def test_a_shell_reads_back_exactly(shell: str, values: list[str]) -> None:
    names = [f"V{number}" for number in range(len(values))]
    script = variables.lines(variables.Derived(values=dict(zip(names, values, strict=True))), {})
    script += "exec env -0\n"
    done = subprocess.run(
        [shell],
        input=script.encode(errors="surrogateescape"),
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
    )
    seen = dict(line.partition(b"=")[::2] for line in done.stdout.split(b"\0"))
    expected = [value.encode(errors="surrogateescape") for value in values]
    assert [seen[name.encode()] for name in names] == expected
    assert done.stderr == b""
