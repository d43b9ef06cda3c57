"""Several things at once: in order, with the first error, and never in the way of a stop."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.parallel import several, spawn


@given(st.lists(st.integers(), max_size=20), st.integers(1, 5))
def test_results_come_in_order(items: list[int], at_once: int) -> None:
    assert several(lambda item: item * 2, iter(items), at_once=at_once) == [i * 2 for i in items]


def test_no_more_at_once_than_asked() -> None:
    lock = threading.Lock()
    running: list[int] = []
    most: list[int] = []

    def work(item: int) -> None:
        with lock:
            running.append(item)
            most.append(len(running))
        time.sleep(0.01)
        with lock:
            running.remove(item)

    several(work, range(12), at_once=3)
    assert max(most) == 3


def test_after_an_error_nothing_is_begun_and_what_runs_ends() -> None:
    begun: list[int] = []
    ended: list[int] = []
    failing = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            failing.set()
            raise ValueError("one")
        assert failing.wait(5)
        time.sleep(0.1)
        ended.append(item)
        return item

    with pytest.raises(ValueError, match="one"):
        several(work, range(100), at_once=2)
    assert begun == [0, 1]
    assert ended == [0]


def test_a_spawned_function_gives_its_result_or_its_error() -> None:
    def fail() -> int:
        raise ValueError("no")

    assert spawn(lambda: 5).result() == 5
    with pytest.raises(ValueError, match="no"):
        spawn(fail).result()


WAITING = """
import signal, sys, threading
from orchestrator.errors import Interrupted
from orchestrator.parallel import several

def stop(signum, frame):
    raise Interrupted(signum)

signal.signal(signal.SIGINT, stop)

def work(item):
    print("waiting", flush=True)
    threading.Event().wait(600)

try:
    several(work, range(3), at_once=2, on_stop=lambda: print("stopped", flush=True))
except Interrupted:
    print("interrupted", flush=True)
    sys.exit(130)
"""


def test_an_interruption_does_not_wait() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert [child.stdout.readline() for _ in range(2)] == ["waiting\n"] * 2
        started = time.monotonic()
        child.send_signal(signal.SIGINT)
        rest, _ = child.communicate(timeout=30)
    assert rest == "stopped\ninterrupted\n"
    assert child.returncode == 130
    assert time.monotonic() - started < 10
