"""Build reports as the real werf wrote them, and ones that are of no use."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.builders.report import parse_report
from orchestrator.errors import BuildFailed

RECORDINGS = Path(__file__).parents[2] / "data" / "werf"


def recorded(name: str) -> bytes:
    return (RECORDINGS / f"{name}.report.json").read_bytes()


def test_a_successful_build() -> None:
    report = parse_report(recorded("success"), builder="werf")
    assert [image.name for image in report.images] == [
        "builder",
        "images/backend",
        "images/frontend",
        "images/tools",
    ]
    assert [image.name for image in report.final] == [
        "images/backend",
        "images/frontend",
        "images/tools",
    ]
    backend = report.images[1]
    assert str(backend.reference) == (
        "127.0.0.1:5000/modules/echo:"
        "319d1a67d19546aa6150799a1484b2d77eeddd9106275af8bfc4575b-1795225159892"
        "@sha256:57a14a23e43ff54d2946bdf92d54ee7701ab8349c10a0c063f5eb50b5c9a5de1"
    )
    assert backend.rebuilt
    assert backend.seconds == 3.42
    assert backend.platforms == ("linux/amd64",)


def test_a_build_without_work() -> None:
    assert not any(image.rebuilt for image in parse_report(recorded("noop"), builder="w").images)


def test_an_index_has_the_platforms_of_its_stages() -> None:
    (image,) = parse_report(recorded("multiplatform"), builder="werf").images
    assert image.platforms == ("linux/amd64", "linux/arm64")
    assert image.reference.tag == "96650119e11b9a1fd88f07f9cea83f16774692c175d56af1afe0bac3"


def test_only_the_docker_fields_are_needed() -> None:
    record = {
        "DockerRepo": "r.io/m",
        "DockerTag": "t",
        "DockerImageDigest": "sha256:" + "0" * 64,
    }
    (image,) = parse_report(json.dumps({"Images": {"a": record}}).encode(), builder="w").images
    assert image.final
    assert not image.rebuilt
    assert image.seconds == 0.0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"Images": []}',
        b'{"Images": {"a": 1}}',
        b'{"Images": {"a": {"DockerRepo": "r.io/m", "DockerTag": "t", "DockerImageDigest": ""}}}',
        b'{"Images": {"a": {"DockerRepo": ":x", "DockerTag": "t", "DockerImageDigest": "sha256:0"}}}',
        b'{"Images": null}',
        b'{"Images": {"a": {"DockerRepo": "r.io/m", "DockerImageDigest": "sha256:%s"}}}'
        % (b"0" * 64),
        b'{"Images": {"a": {"DockerRepo": "r.io/m", "DockerTag": "a b", "DockerImageDigest": "sha256:%s"}}}'
        % (b"0" * 64),
        b'{"Images": {"a": {"DockerTag": "t", "DockerImageDigest": "sha256:%s"}}}' % (b"0" * 64),
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_useless_report_is_a_clear_error(data: bytes) -> None:
    with pytest.raises(BuildFailed, match="build report of werf cannot be used"):
        parse_report(data, builder="werf")


def test_an_image_in_the_local_storage_of_werf() -> None:
    """Without a repository werf names images PROJECT:DIGEST-TIME, and they have no digest."""
    record = {
        "DockerRepo": "echo",
        "DockerTag": "319d1a67d19546aa6150799a1484b2d77eeddd9106275af8bfc4575b-1795225159892",
        "DockerImageDigest": "",
        "DockerImageName": "echo:319d1a67d19546aa6150799a1484b2d77eeddd9106275af8bfc4575b-1795225159892",
    }
    with pytest.raises(BuildFailed, match=r"image ~ has no digest.*storage \(echo\)"):
        parse_report(json.dumps({"Images": {"": record}}).encode(), builder="werf")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["Images", "a", "DockerTag", "Stages"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    )
)
def test_any_json_is_parsed_or_refused(value: object) -> None:
    try:
        parse_report(json.dumps(value).encode(), builder="werf")
    except BuildFailed as error:
        assert error.hint
