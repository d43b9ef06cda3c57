"""What werf-giterminism.yaml has to allow, what a file lacks of it, and that the text says the same."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from orchestrator.fragments import Usage
from orchestrator.giterminism import HEADER, lacking, needed, text

NAMES = st.sets(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12), max_size=4
)
USAGES = st.builds(
    Usage,
    env=NAMES,
    secret_values=NAMES,
    secret_env=NAMES,
    secret_files=NAMES,
    mount_paths=NAMES,
    context_files=NAMES,
    build_dir=st.booleans(),
    from_latest=st.booleans(),
    git_branch=st.booleans(),
)


@given(USAGES)
def test_the_file_that_is_written_allows_enough(used: Usage) -> None:
    config = needed(used)
    written = text(config)
    assert written.startswith(HEADER)
    assert yaml.safe_load(written) == config
    assert lacking(written.encode(), config) == []


@given(USAGES)
def test_a_file_that_allows_nothing_lacks_all(used: Usage) -> None:
    found = lacking(b"giterminismConfigVersion: 1\n", needed(used))
    lists = (used.env, used.secret_values, used.secret_env, used.secret_files, used.mount_paths)
    flags = sum((used.build_dir, used.from_latest, used.git_branch))
    assert len(found) == 1 + sum(map(len, lists)) + len(used.context_files) + flags


@pytest.mark.parametrize(
    ("rules", "name", "allowed"),
    [
        ("[/CI_.+/]", "CI_COMMIT_SHA", True),
        ("[/CI_.+/]", "XCI_", False),
        ("[CI_.+]", "CI_X", False),
        ("['/(/']", "X", False),
        ("X", "X", False),
        ("[X]", "X", True),
    ],
)
def test_variables_by_name_or_expression(rules: str, name: str, allowed: bool) -> None:
    file = (
        f"config: {{allowUncommitted: true, goTemplateRendering: {{allowEnvVariables: {rules}}}}}\n"
    )
    found = lacking(file.encode(), needed(Usage(env={name})))
    assert (found == []) is allowed


def test_paths_by_glob_and_secrets_by_name() -> None:
    file = b"""
config:
  allowUncommitted: true
  secrets: {allowFiles: [~/.*], allowValueIds: [GO*]}
  stapel: {mount: {allowFromPaths: ['~/go*'], allowBuildDir: false}}
"""
    used = Usage(
        secret_files={"~/.netrc"},
        secret_values={"GOPROXY"},
        mount_paths={"~/go-cache"},
        build_dir=True,
    )
    assert lacking(file, needed(used)) == [
        "config.secrets.allowValueIds: GOPROXY",
        "config.stapel.mount.allowBuildDir: true",
    ]


@pytest.mark.parametrize("file", [b"config: [\n", b"- a\n"])
def test_what_is_no_config(file: bytes) -> None:
    with pytest.raises(ConfigError, match="is not valid"):
        lacking(file, needed(Usage()))
