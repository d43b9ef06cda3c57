"""Run tools: whole process groups, bytes unharmed, lines as they come. The only importer of plumbum."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import DEVNULL, PIPE, TimeoutExpired
from typing import IO, Any, Final, Protocol

from orchestrator.errors import ConfigError, Interrupted, ToolMissing

OnLine = Callable[[str, str], None]

_TAIL_LINES: Final = 400
_GRACE_SECONDS: Final = 5.0
# A builder that was told to stop finishes or rolls back what it is doing; werf takes seconds.
_INTERRUPTED_GRACE_SECONDS: Final = 30.0
# A detached grandchild may keep our end of the pipe open long after the command ended.
_DRAIN_SECONDS: Final = 2.0
# A hook or an outer git command would otherwise point every git call of ours at its repository.
_GIT_LOCATION: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program and its arguments; `env` is added to the environment of the runner."""

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command left: `exit_code` is -N after signal N; with a line listener the streams are tails."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    seconds: float
    timed_out: bool = False

    @property
    def text(self) -> str:
        return self.stdout.decode(errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A program that runs beside us."""

    pid: int
    poll: Callable[[], int | None]


class Runner(Protocol):
    """The seam between us and every other program."""

    def which(self, tool: str) -> str | None: ...

    def run(
        self, command: Command, *, on_line: OnLine | None = None, timeout: float | None = None
    ) -> Outcome: ...

    def start(self, command: Command, *, log: Path) -> AbstractContextManager[Child]: ...


class LocalRunner:
    """Runs programs on this machine, each in a process group of its own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        from plumbum import CommandNotFound, local

        self._local: Any = local
        self._not_found = CommandNotFound
        self._awaited: set[int] = set()
        self._background: set[int] = set()
        wanted = {name: text for name, text in environ.items() if name not in _GIT_LOCATION}
        # plumbum only ever adds to its snapshot of os.environ: bring that snapshot in line once.
        for name in set(local.env.getdict()) - set(wanted):
            del local.env[name]
        local.env.update(wanted)

    def which(self, tool: str) -> str | None:
        """The path of a program, None where there is none."""
        if "/" in tool:
            return tool if os.access(tool, os.X_OK) and not Path(tool).is_dir() else None
        with suppress(self._not_found):
            return str(self._local.which(tool))
        return None

    def run(
        self, command: Command, *, on_line: OnLine | None = None, timeout: float | None = None
    ) -> Outcome:
        """Wait for the end; an exit code is a result, never an exception."""
        started = time.monotonic()
        with self._popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as child:
            # Readers own their ends: closing a stream that a thread still reads would block us.
            streams = {
                name: os.fdopen(os.dup(stream.fileno()), "rb")
                for name, stream in (("stdout", child.stdout), ("stderr", child.stderr))
            }
            kept: dict[str, Any] = {
                name: deque(maxlen=_TAIL_LINES if on_line else None) for name in streams
            }
            order = threading.Lock()
            readers = [
                threading.Thread(
                    target=_read, args=(name, stream, kept[name], on_line, order), daemon=True
                )
                for name, stream in streams.items()
            ]
            for reader in readers:
                reader.start()
            with suppress(BrokenPipeError):
                child.stdin.write(command.stdin)
            with suppress(BrokenPipeError):
                child.stdin.close()
            timed_out = not self._wait(child, timeout)
            drained = time.monotonic() + _DRAIN_SECONDS
            for reader in readers:
                reader.join(max(0.0, drained - time.monotonic()))
            return Outcome(
                exit_code=child.returncode,
                stdout=b"".join(kept["stdout"]),
                stderr=b"".join(kept["stderr"]),
                seconds=time.monotonic() - started,
                timed_out=timed_out,
            )

    @contextmanager
    def start(self, command: Command, *, log: Path) -> Iterator[Child]:
        """A background child, its output in `log`; stopped when the context ends or we are killed."""
        if (setpriv := self.which("setpriv")) is not None:
            tied = (setpriv, "--pdeathsig", "TERM", "--", *command.argv)
            command = replace(command, argv=tied)
        log.parent.mkdir(parents=True, exist_ok=True)
        with (
            log.open("ab") as output,
            self._popen(
                command, background=True, stdin=DEVNULL, stdout=output, stderr=output
            ) as child,
        ):
            try:
                yield Child(pid=child.pid, poll=child.poll)
            finally:
                self._stop(child)

    def forward(self, signum: int) -> None:
        """Pass a signal on to the group of every command we wait for."""
        self._signal(self._awaited, signum)

    def kill(self) -> None:
        """End every group, also those in the background, at once."""
        self._signal(self._awaited | self._background, signal.SIGKILL)

    @staticmethod
    def _signal(groups: set[int], signum: int) -> None:
        # Called from a signal handler: no lock, and a copy, since the set may change meanwhile.
        for group in tuple(groups):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signum)

    @contextmanager
    def _popen(
        self, command: Command, *, background: bool = False, **streams: Any
    ) -> Iterator[Any]:
        program, *arguments = command.argv
        path = self.which(program)
        if path is None:
            raise ToolMissing(f"{program} is not installed or not on PATH")
        if command.cwd is not None and not command.cwd.is_dir():
            raise ConfigError(f"{command.cwd} is not a directory")
        child = self._local[path].popen(
            tuple(arguments), cwd=command.cwd, env=dict(command.env), new_session=True, **streams
        )
        live = self._background if background else self._awaited
        live.add(child.pid)
        try:
            yield child
        except Interrupted:
            # The handler has passed the signal on, and a second one would make werf quit at once.
            with suppress(TimeoutExpired):
                child.wait(timeout=_INTERRUPTED_GRACE_SECONDS)
            self._stop(child)
            raise
        except BaseException:
            self._stop(child)
            raise
        finally:
            live.discard(child.pid)

    def _wait(self, child: Any, timeout: float | None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while child.poll() is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                self._stop(child)
                return False
            with suppress(TimeoutExpired):
                child.wait(timeout=left)
        return True

    def _stop(self, child: Any) -> None:
        for signum, grace in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, None)):
            if child.poll() is not None:
                return
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signum)
            with suppress(TimeoutExpired):
                child.wait(timeout=grace)


def _read(
    name: str, stream: IO[bytes], kept: deque[bytes], on_line: OnLine | None, order: threading.Lock
) -> None:
    with stream:
        for raw in stream:
            kept.append(raw)
            if on_line is not None:
                with order:
                    on_line(name, raw.rstrip(b"\r\n").decode(errors="replace"))
