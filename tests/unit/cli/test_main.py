"""The command line's manners: exit codes, help, errors without tracebacks."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from orchestrator import cli
from orchestrator.cli import slugify
from orchestrator.errors import Interrupted


@pytest.fixture(autouse=True)
def _signal_handlers_are_put_back() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("orchestrator 0.")
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(verb in text for verb in cli.VERBS)


def leaves() -> list[str]:
    """All commands, as they are typed."""
    root = click.Context(cli.cli)
    found = []
    for verb in cli.VERBS:
        command = cli.cli.get_command(root, verb)  # type: ignore[attr-defined]
        if isinstance(command, click.Group) and not command.invoke_without_command:
            found += [f"{verb} {name}" for name in command.commands]
        else:
            found.append(verb)
    return sorted(found)


@pytest.mark.parametrize("command", leaves())
def test_every_command_has_help_with_examples(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*command.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Usage: orchestrator {command}" in text
    assert f"  orchestrator {command}" in text.partition("Examples:")[2]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["orchestrator", "pro"], ["promote"]),
        (["orchestrator", "promote", "v1.0.0", "early"], ["early-access"]),
        (["orchestrator", "verify", "--de"], ["--deep"]),
    ],
)
def test_bash_completes(words: list[str], expected: list[str], tmp_path: Path) -> None:
    program = tmp_path / "orchestrator"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m orchestrator "$@"\n')
    program.chmod(0o755)
    quoted = " ".join(words)
    script = f"""
    source <(orchestrator completion bash)
    COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}
    _orchestrator_completion orchestrator
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == expected


@pytest.mark.parametrize(
    ("shell", "says"), [("zsh", "#compdef orchestrator"), ("fish", "complete ")]
)
def test_other_shells(shell: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    assert says in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["biuld"], "did you mean build?"),
        (["build", "--bogus"], "No such option"),
        (["build", "--until", "nothing"], "is not one of"),
        (["slugify"], "Missing argument"),
        (["plan", "--retries", "x", "-o", "xml"], "is not one of"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 64
    assert says in capsys.readouterr().err


def test_slugify(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["slugify", "core/feature/ADD_SETTINGS"]) == 0
    assert cli.main(["slugify", "-f", "kubernetes-namespace", "My_branch"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "core-feature-add-settings-df80fdc3",
        "my-branch-8ebf2d1d",
    ]


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def fail(_text: str) -> str:
        raise error

    monkeypatch.setattr("orchestrator.slug.docker_tag", fail)
    assert slugify.command
    return cli.main(["slugify", "x"])


def test_a_full_disk_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(monkeypatch, OSError(28, "No space left on device", "/x")) == 1
    assert capsys.readouterr().err == (
        "error: failed: No space left on device /x\n-> free some disk space\n"
        "resume: orchestrator slugify x\n"
    )


def test_a_bug_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "very-secret")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert failing(monkeypatch, ValueError("very-secret")) == 70
    err = capsys.readouterr().err
    assert "this is a bug of ours" in err
    assert "Traceback" not in err
    (report,) = tmp_path.iterdir()
    assert "Traceback" in report.read_text()
    assert "very-secret" not in report.read_text() + err
    monkeypatch.undo()


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_signals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, code: int
) -> None:
    assert failing(monkeypatch, Interrupted(number)) == code
    assert "resume: orchestrator slugify x" in capsys.readouterr().err


def test_the_resume_line_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "very-secret")
    assert cli.main(["slugify", "-f", "no", "very-secret"]) == 64
    assert "very-secret" not in capsys.readouterr().err
    for error, code in ((Interrupted(15), 143), (OSError(5, "very-secret"), 1)):
        monkeypatch.setattr("orchestrator.slug.docker_tag", _raising(error))
        assert cli.main(["slugify", "very-secret"]) == code
        err = capsys.readouterr().err
        assert "resume: orchestrator slugify" in err
        assert "very-secret" not in err
    monkeypatch.undo()


def _raising(error: BaseException) -> Callable[[str], str]:
    def fail(_text: str) -> str:
        raise error

    return fail


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_real_signal_stops_the_program_in_order(signum: signal.Signals) -> None:
    code = (
        "import os, sys, time\nfrom orchestrator import cli, slug\n"
        "def wait(_text):\n print('up', flush=True)\n time.sleep(60)\n"
        "slug.docker_tag = wait\nsys.exit(cli.main(['slugify', 'x']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "up\n"
        child.send_signal(signum)
        _, err = child.communicate(timeout=10)
    assert child.returncode == 128 + signum
    assert err == f"stopped by {signum.name}\nresume: orchestrator slugify x\n"


def test_help_and_version_import_nothing_heavy() -> None:
    heavy = {"jinja2", "mmh3", "plumbum", "rich", "semver", "structlog", "urllib3", "yaml"}
    for flag in ("--help", "--version"):
        code = (
            "import sys\nfrom orchestrator.cli import main\n"
            f"main([{flag!r}])\nprint(*sorted(sys.modules), file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        loaded = set(done.stderr.split())
        assert loaded.isdisjoint(heavy)
        assert {name for name in loaded if name.startswith("orchestrator")} == {
            "orchestrator",
            "orchestrator.cli",
            "orchestrator.errors",
        }
