"""Real programs: bytes unharmed, whole groups ended, signals passed on."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator import process
from orchestrator.errors import ConfigError, Interrupted, ToolMissing
from orchestrator.process import Command, LocalRunner


@pytest.fixture
def runner() -> LocalRunner:
    return LocalRunner(os.environ)


def sh(script: str, **more: object) -> Command:
    return Command(argv=("sh", "-c", script), **more)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_streams_and_exit_codes(runner: LocalRunner) -> None:
    outcome = runner.run(sh("cat; echo err >&2; exit 3", stdin=b"in\xff\n"))
    assert outcome.exit_code == 3
    assert outcome.stdout == b"in\xff\n"
    assert outcome.stderr == b"err\n"


def test_a_lot_of_output_on_both_streams_does_not_block(runner: LocalRunner) -> None:
    outcome = runner.run(
        sh("head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2", stdin=b"x" * 10**6)
    )
    assert len(outcome.stdout) == len(outcome.stderr) == 300000


def test_lines_come_as_they_are_written(runner: LocalRunner) -> None:
    seen: list[tuple[float, str]] = []
    runner.run(
        sh("echo a; sleep 0.3; echo b >&2; sleep 0.1; printf c"),
        on_line=lambda stream, line: seen.append((time.monotonic(), f"{stream} {line}")),
    )
    assert [line for _, line in seen] == ["stdout a", "stderr b", "stdout c"]
    assert seen[1][0] - seen[0][0] > 0.2


def test_the_environment_is_added_to_and_git_locations_are_dropped() -> None:
    runner = LocalRunner({"PATH": os.environ["PATH"], "GIT_DIR": "/x", "KEPT": "1"})
    try:
        text = runner.run(sh("env", env={"MORE": "2"})).text
        assert "KEPT=1" in text
        assert "MORE=2" in text
        assert "GIT_DIR" not in text
        assert "HOME=" not in text
    finally:
        LocalRunner(os.environ)


def test_a_timeout_ends_the_whole_group(runner: LocalRunner, tmp_path: Path) -> None:
    outcome = runner.run(sh(f"sleep 60 & echo $! > {tmp_path}/pid; wait"), timeout=0.3)
    assert outcome.timed_out
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_timeout_ends_those_that_ignore_the_first_signal(
    runner: LocalRunner, tmp_path: Path
) -> None:
    """The leader of the group goes at once; who is left of the group is killed."""
    script = f"(trap '' TERM; exec sleep 60) & echo $! > {tmp_path}/pid; wait"
    assert runner.run(sh(script), timeout=0.5).timed_out
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_timeout_holds_though_the_input_is_not_read(runner: LocalRunner) -> None:
    started = time.monotonic()
    command = Command(argv=("sleep", "60"), stdin=b"x" * 10**6)
    assert runner.run(command, timeout=0.3).timed_out
    assert time.monotonic() - started < 10


def test_a_slow_listener_gets_every_line(runner: LocalRunner) -> None:
    """The program is long gone when the last lines are taken: they are on their way all the same."""
    seen: list[str] = []

    def slow(_stream: str, line: str) -> None:
        time.sleep(0.04)
        seen.append(line)

    outcome = runner.run(sh("seq 1 60"), on_line=slow)
    assert seen == [str(number) for number in range(1, 61)]
    assert outcome.stdout.split() == [line.encode() for line in seen]


def test_a_failing_listener_ends_the_program_and_is_heard_of(
    runner: LocalRunner, tmp_path: Path
) -> None:
    calls: list[str] = []

    def full(_stream: str, line: str) -> None:
        calls.append(line)
        raise OSError(errno.ENOSPC, "No space left on device")

    started = time.monotonic()
    with pytest.raises(OSError, match="No space left"):
        runner.run(sh(f"echo $$ > {tmp_path}/pid; echo a; echo b; sleep 60"), on_line=full)
    assert time.monotonic() - started < 10
    assert calls == ["a"]
    assert gone(int((tmp_path / "pid").read_text()))


def test_nobody_is_told_of_lines_after_the_end(runner: LocalRunner, tmp_path: Path) -> None:
    """A listener that writes to a file must not be called once that file is closed."""
    seen: list[str] = []
    go = tmp_path / "go"
    script = f"setsid sh -c 'while ! [ -e {go} ]; do sleep 0.1; done; echo late' & echo done"
    runner.run(sh(script), on_line=lambda _stream, line: seen.append(line))
    go.touch()
    time.sleep(0.4)
    assert seen == ["done"]


def test_no_file_descriptor_is_left_open(runner: LocalRunner) -> None:
    runner.run(sh("cat", stdin=b"x"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        runner.run(sh("cat; echo x >&2", stdin=b"x"), on_line=lambda _stream, _line: None)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_runs_in_several_threads_do_not_mix(runner: LocalRunner) -> None:
    def one(number: int) -> bytes:
        return runner.run(sh("cat; echo $WHO", env={"WHO": str(number)}, stdin=b"in ")).stdout

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(24))) == [f"in {n}\n".encode() for n in range(24)]


def test_a_grandchild_that_keeps_the_pipe_does_not_hold_us(runner: LocalRunner) -> None:
    started = time.monotonic()
    outcome = runner.run(sh("setsid sleep 20 & echo done"))
    assert outcome.stdout == b"done\n"
    assert time.monotonic() - started < 10


def test_what_cannot_be_run(runner: LocalRunner, tmp_path: Path) -> None:
    with pytest.raises(ToolMissing):
        runner.run(Command(argv=("no-such-program",)))
    with pytest.raises(ToolMissing):
        runner.run(Command(argv=(str(tmp_path),)))
    with pytest.raises(ConfigError):
        runner.run(sh("true", cwd=tmp_path / "nowhere"))
    assert runner.which("no-such-program") is None
    assert runner.which("sh")


def test_a_background_child_is_stopped_with_its_context(
    runner: LocalRunner, tmp_path: Path
) -> None:
    with runner.start(sh("echo up; exec sleep 60"), log=tmp_path / "log") as child:
        assert child.poll() is None
        time.sleep(0.2)
    assert gone(child.pid)
    assert (tmp_path / "log").read_text() == "up\n"


def test_a_background_child_that_ended_by_itself_is_no_trouble(
    runner: LocalRunner, tmp_path: Path
) -> None:
    with runner.start(sh("exit 3"), log=tmp_path / "log") as child:
        deadline = time.monotonic() + 5
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert child.poll() == 3


@pytest.mark.parametrize("delay", [0.0, 0.5])
def test_a_background_child_does_not_outlive_a_killed_parent(tmp_path: Path, delay: float) -> None:
    """Nor where the parent is killed before the child has arranged for a signal."""
    slow = tmp_path / "setpriv"
    slow.write_text(f'#!/bin/sh\nsleep {delay}\nexec {shutil.which("setpriv")} "$@"\n')
    slow.chmod(0o755)
    code = (
        "import os, time\nfrom pathlib import Path\nfrom orchestrator.process import *\n"
        "with LocalRunner(os.environ).start(Command(argv=('sleep', '60')), "
        f"log=Path({str(tmp_path / 'log')!r})) as child:\n"
        "    print(child.pid, flush=True)\n    time.sleep(60)\n"
    )
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environ
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    assert gone(pid)


PARENT = """
import os, signal, sys
from orchestrator.cli import _Signals
from orchestrator.errors import Interrupted
from orchestrator import process
from orchestrator.process import Command, LocalRunner
runner = LocalRunner(os.environ)
signals = _Signals()
signals.runners.append(runner)
for signum in (signal.SIGINT, signal.SIGTERM):
    signal.signal(signum, signals)
try:
    runner.run(Command(argv=("sh", "-c", sys.argv[1])), on_line=lambda s, l: print(l, flush=True))
except Interrupted as stop:
    sys.exit(stop.exit_code)
"""


def interrupted(script: str, *signals: signal.Signals) -> tuple[int, str, float]:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, script], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        first = parent.stdout.readline()
        started = time.monotonic()
        for signum in signals:
            parent.send_signal(signum)
            time.sleep(0.3)
        rest = parent.stdout.read()
        code = parent.wait(20)
    return code, first + rest, time.monotonic() - started


def test_the_first_signal_is_passed_on_once_and_awaited() -> None:
    script = (
        "n=0; trap 'n=$((n+1)); sleep 0.5; echo signals $n; exit 1' TERM; echo up; sleep 60 & wait"
    )
    code, text, _ = interrupted(script, signal.SIGTERM)
    assert code == 143
    assert text == "up\nsignals 1\n"


def test_what_a_stopped_program_leaves_in_its_group_is_ended(tmp_path: Path) -> None:
    script = (
        f"(trap '' TERM; exec sleep 60) & echo $! > {tmp_path}/pid; "
        "trap 'exit 1' TERM; echo up; while :; do sleep 0.1; done"
    )
    code, _, seconds = interrupted(script, signal.SIGTERM)
    assert code == 143
    assert seconds < 5
    assert gone(int((tmp_path / "pid").read_text()))


class Struck(set[int]):
    """The groups that are awaited; the signal comes when a child has started, but is not yet here."""

    def __init__(self, strike: Callable[[], None]) -> None:
        self.strike = strike
        self.started: list[int] = []

    def add(self, pid: int) -> None:
        self.started.append(pid)
        self.strike()
        super().add(pid)


def test_a_signal_while_a_program_starts_does_not_lose_it(runner: LocalRunner) -> None:
    def stop(signum: int, _frame: object) -> None:
        runner.forward(signum)
        raise Interrupted(signum)

    awaited = Struck(lambda: os.kill(os.getpid(), signal.SIGTERM))
    runner._awaited = awaited
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        signal.signal(signal.SIGTERM, stop)
        started = time.monotonic()
        with pytest.raises(Interrupted):
            runner.run(Command(argv=("sleep", "60")))
        assert time.monotonic() - started < 5
        assert signal.getsignal(signal.SIGTERM) is stop
        assert signal.getsignal(signal.SIGINT) is before[signal.SIGINT]
        assert not awaited
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    (pid,) = awaited.started
    assert gone(pid)


def test_a_signal_while_another_thread_starts_a_program_reaches_it(runner: LocalRunner) -> None:
    runner._awaited = Struck(lambda: runner.forward(signal.SIGTERM))
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(runner.run, Command(argv=("sleep", "60"))).result(timeout=10)
    assert outcome.exit_code == -signal.SIGTERM


def test_what_runs_after_a_signal_is_not_hit_by_it(runner: LocalRunner) -> None:
    """Clean-up after an interruption runs programs too."""
    runner.forward(signal.SIGTERM)
    assert runner.run(sh("echo cleaned")).stdout == b"cleaned\n"


def test_an_ignored_signal_stays_ignored_in_the_program(runner: LocalRunner) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        outcome = runner.run(sh("kill -INT $$; echo on"))
    finally:
        signal.signal(signal.SIGINT, before)
    assert outcome.stdout == b"on\n"


def test_the_second_signal_kills_at_once() -> None:
    script = "trap '' INT; echo $$; while :; do sleep 0.1; done"
    code, text, seconds = interrupted(script, signal.SIGINT, signal.SIGINT)
    assert code == 130
    assert seconds < 5
    assert gone(int(text.split()[0]))


def test_a_child_that_has_ended_before_it_is_fed(runner: LocalRunner) -> None:
    """No thread is left with an error, which pytest would report."""
    for _ in range(20):
        assert runner.run(sh("exit 0", stdin=b"x" * 10**6)).exit_code == 0
    with Path(os.devnull).open("wb") as stream:
        stream.close()
        process._feed(stream, b"x")
