"""Messages for people, CI systems and machines; never a secret."""

import io
import json
import re
import time
from collections.abc import Callable
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.log import Json, Lines, Reporter, Terminal
from orchestrator.redact import mask, secrets, tame

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
        ("https://user:p@ss@r.io/x", "https://***@r.io/x"),
        ("proxy socks5://user:pw@p:1", "proxy socks5://***@p:1"),
        ("HTTPS://R.IO/b?sig=abc", "HTTPS://R.IO/b?***"),
        ("authorization: basic dXNlcjpwYXNz", "authorization: basic ***"),
        ("https://r.io/m@sha256:abc git@r.io:m", "https://r.io/m@sha256:abc git@r.io:m"),
    ],
)
def test_mask(text: str, masked: str) -> None:
    assert mask(text, ENV) == masked


@pytest.mark.parametrize("name", ["GIT_AUTHOR_NAME", "CI_COMMIT_AUTHOR", "PASSENGERS", "BYPASS_IT"])
def test_what_only_looks_like_a_secret_is_shown(name: str) -> None:
    assert secrets({name: "registry"}) == []


@pytest.mark.parametrize("name", ["AUTHORIZATION", "DB_PASS", "KEY_PASSPHRASE", "ssh_private_key"])
def test_names_of_secrets(name: str) -> None:
    assert secrets({name: "hidden-value"}) == ["hidden-value"]


def test_a_secret_of_digits_is_masked_as_a_word() -> None:
    environ = {"PIN_TOKEN": "1234567", "SHORT_TOKEN": "12345", "CI_JOB_ID": "7654321"}
    said = "pin 1234567, (1234567) =1234567; sha256:ab1234567cd 91234567 1234567890 12345 7654321"
    assert mask(said, environ) == (
        "pin ***, (***) =***; sha256:ab1234567cd 91234567 1234567890 12345 7654321"
    )


def test_a_secret_of_many_lines_is_masked_line_by_line() -> None:
    """Error messages are printed a line at a time."""
    environ = {"SSH_PRIVATE_KEY": "-----BEGIN\nfirst-line\n  second-line\n"}
    for line in ("first-line", "x second-line y", environ["SSH_PRIVATE_KEY"]):
        shown = mask(line, environ)
        assert "first" not in shown
        assert "second" not in shown


def test_a_secret_in_a_longer_one_leaves_no_rest() -> None:
    environ = {"A_TOKEN": "secret-1", "B_TOKEN": "secret-1-and-more"}
    assert mask("secret-1-and-more secret-1", environ) == "*** ***"


def test_masking_long_texts_is_quick() -> None:
    started = time.monotonic()
    for text in ("a." * 50_000, "://" * 50_000, "a:" * 50_000 + "@", "https://" + "a" * 10**5):
        mask(text, ENV)
    assert time.monotonic() - started < 2


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
        "          | ::error::forged\n"
    )


def test_sections() -> None:
    github = lines({"GITHUB_ACTIONS": "true"}, *STORY[:-1])
    assert "::group::build\nbuild     runs: never ran\n" in github
    assert github.endswith("built in 1.3 s\n::endgroup::\n")
    gitlab = lines({"GITLAB_CI": "true"}, *STORY[:2])
    assert re.fullmatch(
        r"render    unchanged\n"
        r"section_start:\d+:build\r\x1b\[0Kbuild\n"
        r"build     runs: never ran\n"
        r"section_end:\d+:build\r\x1b\[0K\n",
        gitlab,
    )


def test_what_others_say_cannot_command_the_ci() -> None:
    foreign = "\n".join(FORGED)
    for event in (
        ("warning", {"text": foreign}),
        ("wrote", {"path": foreign}),
        ("published", {"reference": foreign}),
        ("image", {"name": foreign, "state": "built"}),
        ("stage", {"stage": "build", "state": "skip", "reason": foreign}),
    ):
        for stream in (lines({"GITHUB_ACTIONS": "true"}, event), json_lines(event)):
            assert not [line for line in stream.split("\n") if is_command(line)]
        assert "\x1b" not in lines({"GITLAB_CI": "true"}, event)
        assert "\r" not in lines({"GITLAB_CI": "true"}, event)


FORGED = (
    "::set-output name=a::b",
    "x\r::error::x",
    "  ::add-mask::x",
    "\t::stop-commands::x",
    "\u00a0::warning::x",
    "\u3000\u2028::warning::x",
    "x ##[add-mask]x",
    "###[debug]x",
    "#\0#[error]x",
    "section_start:1:x\r\x1b[0Kx",
    "\x1b[2J\x1b[1;1H",
)


def is_command(line: str) -> bool:
    """What GitHub's runner takes for a command (actions/runner, ActionCommand.cs)."""
    found = re.match(r"\s*::.*?::", line) or re.search(r"##\[.*?\]", line)
    return found is not None


def test_the_check_itself_knows_commands() -> None:
    assert all(map(is_command, ["::a::", "  ::a b=c::d", "x ##[debug]y"]))
    assert not any(map(is_command, ["", "| ::a::", "std::string x::y", "## [debug]"]))


@given(st.text(alphabet=":#[] ax\n\r\t\x1b\u00a0\u2028", max_size=40))
def test_no_text_is_a_command(text: str) -> None:
    assert not any(map(is_command, re.split(r"[\n\r\x85\u2028\u2029]", tame(text))))


@pytest.mark.parametrize("make", [Lines, Terminal, Json])
def test_no_reporter_shows_a_secret(make: Callable[[TextIO, dict[str, str]], Reporter]) -> None:
    said = "s3cr3t-value https://u:hidden@r.io/x?sig=hidden Bearer hidden-hidden"
    stream = io.StringIO()
    with make(stream, ENV) as tell:
        tell("stage", stage="build", state="run", reason=said)
        tell("image", name="a", state="building")
        tell("image", name=said, state="built")
        tell("warning", text=said)
        tell("wrote", path=said)
        tell("pushed", reference=said, digest=said)
        tell("replaced", reference=said, was=said, digest=said)
        tell("line", text=said)
        tell("stage", stage="build", state="done")
    assert "***" in stream.getvalue()
    for secret in ("s3cr3t", "hidden"):
        assert secret not in stream.getvalue()


def json_lines(*events: tuple[str, dict[str, object]]) -> str:
    stream = io.StringIO()
    with Json(stream, ENV) as tell:
        for event, fields in events:
            tell(event, **fields)
    return stream.getvalue()


def test_json() -> None:
    text = json_lines(*STORY)
    found = [json.loads(line) for line in text.splitlines()]
    assert [each["event"] for each in found] == ["stage", "stage", "image", "stage", "warning"]
    assert found[2]["seconds"] == 1.26
    assert found[-1]["level"] == "warning"
    assert "s3cr3t" not in text
