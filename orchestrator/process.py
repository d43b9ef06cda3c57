"""Run tools: whole process groups, bytes unharmed, lines as they come. The only importer of plumbum."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import DEVNULL, PIPE, TimeoutExpired
from types import FrameType
from typing import IO, Any, Final, Protocol

from orchestrator.errors import ConfigError, Interrupted, ToolMissing

OnLine = Callable[[str, str], None]

_TAIL_LINES: Final = 400
_GRACE_SECONDS: Final = 5.0
# A builder that was told to stop finishes or rolls back what it is doing; werf takes seconds.
_INTERRUPTED_GRACE_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.02
# A detached grandchild may keep our end of the pipe open long after the command ended: wait for
# what is on its way while lines still come, but not for ever.
_SILENT_SECONDS: Final = 2.0
_DRAIN_SECONDS: Final = 30.0
# Whoever was killed before the signal was arranged for would leave the program behind.
_IF_STILL_OURS: Final = '[ "$PPID" = "$1" ] && shift && exec "$@"'
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

    def settle(self) -> None: ...


class LocalRunner:
    """Runs programs on this machine, each in a process group of its own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        from plumbum import CommandNotFound, local

        self._local: Any = local
        self._not_found = CommandNotFound
        self._awaited: set[int] = set()
        self._background: set[int] = set()
        self._forwarded: tuple[int, ...] = ()
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
            heard = _Listener(
                {"stdout": child.stdout, "stderr": child.stderr},
                on_line,
                on_failure=lambda: self._signal({child.pid}, signal.SIGTERM),
            )
            threading.Thread(target=_feed, args=(child.stdin, command.stdin), daemon=True).start()
            timed_out = not self._wait(child, timeout)
            stdout, stderr = heard.end()
            return Outcome(
                exit_code=child.returncode,
                stdout=stdout,
                stderr=stderr,
                seconds=time.monotonic() - started,
                timed_out=timed_out,
            )

    @contextmanager
    def start(self, command: Command, *, log: Path) -> Iterator[Child]:
        """A background child, its output in `log`; stopped when the context ends or we are killed."""
        if (setpriv := self.which("setpriv")) is not None:
            tied = (setpriv, "--pdeathsig", "TERM", "--", "/bin/sh", "-c", _IF_STILL_OURS, "sh")
            command = replace(command, argv=(*tied, str(os.getpid()), *command.argv))
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
                if child.poll() is None:
                    self._stop(child)

    def forward(self, signum: int) -> None:
        """Pass a signal on to the group of every command we wait for."""
        self._forwarded = (*self._forwarded, signum)
        self._signal(self._awaited, signum)

    def kill(self) -> None:
        """End every group, also those in the background, at once."""
        self._signal(self._awaited | self._background, signal.SIGKILL)

    def settle(self) -> None:
        """After a signal: give the commands of other threads their time to end, then kill them."""
        deadline = time.monotonic() + _INTERRUPTED_GRACE_SECONDS
        while self._awaited and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        self._signal(self._awaited, signal.SIGKILL)

    @staticmethod
    def _signal(groups: Collection[int], signum: int) -> None:
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
        live = self._background if background else self._awaited
        child: Any = None
        try:
            with _signals_wait():
                before = self._forwarded
                child = self._local[path].popen(
                    tuple(arguments),
                    cwd=command.cwd,
                    env=dict(command.env),
                    new_session=True,
                    **streams,
                )
                live.add(child.pid)
            # Another thread's child may have started too late to be in the list of `forward`.
            for signum in () if background else self._forwarded[len(before) :]:
                self._signal({child.pid}, signum)
            yield child
        except BaseException as error:
            if child is not None:
                if isinstance(error, Interrupted) and not background:
                    # The handler has passed it on; a second signal would make werf quit at once.
                    with suppress(TimeoutExpired):
                        child.wait(timeout=_INTERRUPTED_GRACE_SECONDS)
                self._stop(child)
            raise
        finally:
            if child is not None:
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
        """End the program, in order if it can, and with it whoever is left of its group."""
        if child.poll() is None:
            self._signal({child.pid}, signal.SIGTERM)
            with suppress(TimeoutExpired):
                child.wait(timeout=_GRACE_SECONDS)
        self._signal({child.pid}, signal.SIGKILL)
        child.wait()


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Handlers run after the block: one that raises within would lose a child that has started.

    Only the main thread runs handlers, so only there is something to do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    holding = False

    def hold(signum: int, frame: FrameType | None) -> None:
        if holding:
            held.append(signum)
        else:  # ours is still, or already, in place while none is to be held
            handlers[signum](signum, frame)

    found = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    handlers: dict[int, Any] = {n: handler for n, handler in found.items() if callable(handler)}
    try:
        for signum in handlers:
            signal.signal(signum, hold)
        holding = True
        yield
    finally:
        holding = False
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
        for signum in held:
            handlers[signum](signum, None)


class _Listener:
    """Reads both streams of a program; `on_line` gets one line at a time.

    Where `on_line` raises, `on_failure` is called once and `end()` raises the same.
    """

    def __init__(
        self,
        streams: Mapping[str, IO[bytes]],
        on_line: OnLine | None,
        *,
        on_failure: Callable[[], None],
    ) -> None:
        self._on_line = on_line
        self._on_failure = on_failure
        self._kept: dict[str, deque[bytes]] = {
            name: deque(maxlen=_TAIL_LINES if on_line else None) for name in streams
        }
        self._order = threading.Lock()
        self._lines = 0
        self._ended = False
        self._error: Exception | None = None
        self._readers: list[threading.Thread] = []
        for name, stream in streams.items():
            # A reader owns its end: closing a stream that a thread still reads would block us.
            own = os.fdopen(os.dup(stream.fileno()), "rb")
            stream.close()
            self._readers.append(threading.Thread(target=self._read, args=(name, own), daemon=True))
        for reader in self._readers:
            reader.start()

    def end(self) -> tuple[bytes, ...]:
        """Each stream, once all of it is read or nobody has said anything for a while."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        silent = False
        while not silent and self._reading() and time.monotonic() < deadline:
            lines = self._lines
            until = time.monotonic() + _SILENT_SECONDS
            for reader in self._readers:
                reader.join(max(0.0, until - time.monotonic()))
            # Who holds the lock is still busy with a line, however long it takes.
            silent = lines == self._lines and not self._order.locked()
        with self._order:
            self._ended = True
            if self._error is not None:
                raise self._error
            return tuple(b"".join(lines) for lines in self._kept.values())

    def _reading(self) -> bool:
        return any(reader.is_alive() for reader in self._readers)

    def _read(self, name: str, stream: IO[bytes]) -> None:
        with stream:
            for raw in stream:
                with self._order:
                    self._take(name, raw)

    def _take(self, name: str, raw: bytes) -> None:
        # After the end, or an error, the rest is read all the same, lest the writer be stopped.
        if self._ended:
            return
        self._lines += 1
        self._kept[name].append(raw)
        if self._on_line is None or self._error is not None:
            return
        try:
            self._on_line(name, raw.rstrip(b"\r\n").decode(errors="replace"))
        except Exception as error:  # noqa: BLE001  raised again by end(), in the caller's thread
            self._error = error
            self._on_failure()


def _feed(stream: IO[bytes], data: bytes) -> None:
    """In a thread of its own: who does not read must not hold up a timeout."""
    # Broken or, where the child was quicker than this thread, closed already.
    with suppress(BrokenPipeError, ValueError), stream:
        stream.write(data)
