"""The command line: verbs, one file each; the only place where an error becomes an exit code."""

import importlib
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click

from orchestrator import __version__
from orchestrator.errors import BUG_EXIT_CODE, Interrupted, OrchestratorError, UsageError

# Short helps stand here, so that --help need not import the verbs and all that they need.
VERBS: Final = {
    "build": "Render, build, assemble, publish and read back a module.",
    "channels": "Show what each release channel holds, and what is broken.",
    "completion": "Print the completion script for bash, zsh or fish.",
    "init": "Write what a module repository needs to be published from.",
    "plan": "Say what a build would do, and why.",
    "promote": "Let release channels name a published version.",
    "registry": "Serve the local registry of this module.",
    "render": "Write the werf config, or check that it is up to date.",
    "rollback": "Take a release channel back to a lower version.",
    "slugify": "Turn a text into a legal tag or name, as werf does.",
    "verify": "Check a published version or channel against every rule, from the registry alone.",
    "status": "Show settings with their origins, stages and what the registry holds.",
}


class Verbs(click.Group):
    """A group whose commands are imported only when one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"orchestrator.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in VERBS:
            import difflib

            close = difflib.get_close_matches(args[0], VERBS, n=1)
            tip = f"; did you mean {close[0]}?" if close else ""
            raise click.UsageError(f"there is no verb {args[0]!r}{tip}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(VERBS.items()))


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 changes planned, 64 usage, 69 tool missing, 70 our bug, "
    "73 version exists, 75 try again, 78 configuration.",
)
@click.version_option(__version__, prog_name="orchestrator", message="%(prog)s %(version)s")
def cli() -> None:
    """Publish a Deckhouse module: from its git tree to a verified module in a registry."""


class _Signals:
    """The first SIGINT or SIGTERM is passed on and stops us in order; the second one kills."""

    def __init__(self) -> None:
        self.runners: list[Any] = []
        self._first: int | None = None

    def __call__(self, signum: int, _frame: FrameType | None) -> None:
        if self._first is not None:
            for runner in self.runners:
                runner.kill()
            os._exit(128 + signum)
        self._first = signum
        for runner in self.runners:
            runner.forward(signum)
        raise Interrupted(signum)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    signals = _Signals()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signals)
    try:
        code = cli.main(argv, prog_name="orchestrator", standalone_mode=False, obj=signals)
    except click.ClickException as error:
        return _fail(UsageError(error.format_message(), hint="see --help"), argv=[])
    except click.Abort:
        return 130
    except OrchestratorError as error:
        return _fail(error, argv)
    except Interrupted as stop:
        _say(f"stopped by {signal.Signals(stop.signum).name}")
        _say(f"resume: {_again(argv)}")
        return stop.exit_code
    except BrokenPipeError:
        # The reader of our output went away; what was to be done is done or can be done again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(_file_error(error), argv)
    except Exception as error:  # noqa: BLE001  the one boundary: anything unforeseen is our bug
        return _bug(error, argv)
    return code if isinstance(code, int) else 0


def _file_error(error: OSError) -> OrchestratorError:
    import errno

    where = f" {error.filename}" if error.filename else ""
    hint = {
        errno.ENOSPC: "free some disk space",
        errno.EDQUOT: "free some disk space",
        errno.EACCES: "see to the permissions of that path",
        errno.EROFS: "the file system is read-only; work on a copy",
    }.get(error.errno or 0)
    return OrchestratorError(f"{error.strerror or error}{where}", hint=hint)


def _fail(error: OrchestratorError, argv: Sequence[str]) -> int:
    from orchestrator.redact import mask, tame

    at = f" in stage {error.stage}" if error.stage else ""
    _say(f"error: {error.category}{at}: {tame(mask(error.message))}")
    for line in (error.details or "").splitlines():
        _say(f"  {tame(mask(line))}")
    if error.hint:
        _say(f"-> {tame(mask(error.hint))}")
    if argv:
        _say(f"resume: {_again(argv)}")
    return error.exit_code


def _bug(error: Exception, argv: Sequence[str]) -> int:
    import platform
    import tempfile
    import traceback

    from orchestrator.redact import mask

    text = "".join(traceback.format_exception(error))
    report = (
        f"orchestrator {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{_again(argv)}\n\n{text}"
    )
    descriptor, name = tempfile.mkstemp(prefix="orchestrator-crash-", suffix=".log")
    with os.fdopen(descriptor, "w", errors="replace") as stream:
        stream.write(mask(report))
    _say(f"error: internal: {mask(f'{type(error).__name__}: {error}')}")
    _say(f"-> this is a bug of ours; please report it with {Path(name)}")
    _say(f"resume: {_again(argv)}")
    return BUG_EXIT_CODE


def _again(argv: Sequence[str]) -> str:
    from orchestrator.redact import mask

    return mask(shlex.join(["orchestrator", *argv]))


def _say(text: str) -> None:
    click.echo(text, err=True)
