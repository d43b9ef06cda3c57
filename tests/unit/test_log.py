"""Messages for people, CI systems and machines; never a secret."""

import io
import json

import pytest

from orchestrator.log import Json, Lines, mask, secrets

ENV = {
    "MY_TOKEN": "s3cr3t-value",
    "REGISTRY_PASSWORD": "pass word",
    "SHORT_TOKEN": "abc",
    "HOME": "/root",
}


def test_which_variables_are_secret() -> None:
    assert secrets(ENV) == ["s3cr3t-value", "pass word"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("x s3cr3t-value y", "x *** y"),
        ("GET https://r.io/b?sig=abc&x=1 failed", "GET https://r.io/b?*** failed"),
        ("https://user:pw@r.io/x", "https://***@r.io/x"),
        ("Authorization: Bearer abcdefghijkl", "Authorization: Bearer ***"),
        ("abc /root", "abc /root"),
    ],
)
def test_mask(text: str, masked: str) -> None:
    assert mask(text, ENV) == masked


def lines(environ: dict[str, str], *events: tuple[str, dict[str, object]]) -> str:
    stream = io.StringIO()
    with Lines(stream, environ) as tell:
        for event, fields in events:
            tell(event, **fields)
    return stream.getvalue()


STORY: tuple[tuple[str, dict[str, object]], ...] = (
    ("stage", {"stage": "render", "state": "skip", "reason": "unchanged"}),
    ("stage", {"stage": "build", "state": "run", "reason": "never ran"}),
    ("image", {"name": "a", "state": "built", "seconds": 1.26}),
    ("line", {"text": "noise"}),
    ("stage", {"stage": "build", "state": "done"}),
    ("warning", {"text": "s3cr3t-value\n::error::forged"}),
)


def test_plain_lines() -> None:
    assert lines(ENV, *STORY) == (
        "render    unchanged\n"
        "build     runs: never ran\n"
        "build     image a: built in 1.3 s\n"
        "build     warning: ***\n"
        "          ::error::forged\n"
    )


def test_sections() -> None:
    github = lines({"GITHUB_ACTIONS": "true"}, *STORY[:-1])
    assert "::group::build\nbuild     runs: never ran\n" in github
    assert github.endswith("built in 1.3 s\n::endgroup::\n")
    gitlab = lines({"GITLAB_CI": "true"}, *STORY[:2])
    assert "\r\x1b[0Kbuild\n" in gitlab
    assert gitlab.count("section_start") == gitlab.count("section_end") == 1


def test_what_others_say_cannot_command_the_ci() -> None:
    forged = ("warning", {"text": "x\n::set-output name=a::b\r::error::x"})
    text = lines({"GITHUB_ACTIONS": "true"}, forged)
    assert not any(line.startswith("::") for line in text.splitlines())


def test_json() -> None:
    stream = io.StringIO()
    with Json(stream, ENV) as tell:
        for event, fields in STORY:
            tell(event, **fields)
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [each["event"] for each in found] == ["stage", "stage", "image", "stage", "warning"]
    assert found[2]["seconds"] == 1.26
    assert found[-1]["level"] == "warning"
    assert "s3cr3t" not in stream.getvalue()
