"""Several things at once, in threads that nobody waits for once we are told to stop.

The executors of the standard library join their threads at every end, and a thread that waits for a
silent registry does so for minutes.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")

# For what is nearly done to end, and to tidy up behind it.
_LAST_SECONDS: Final = 2.0


def spawn(function: Callable[[], R]) -> Future[R]:
    """The result to come of a function that runs in a thread of its own."""
    return _spawn(function)[0]


def several(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    at_once: int,
    on_stop: Callable[[], None] = lambda: None,
) -> list[R]:
    """Results in order; the first error after what was begun has ended, and nothing is begun after it.

    Where the wait is interrupted, `on_stop` is called, and what still runs is left to itself.
    """
    results: list[Future[R]] = []
    todo: deque[tuple[Future[R], T]] = deque()
    for item in items:
        future: Future[R] = Future()
        results.append(future)
        todo.append((future, item))

    def work() -> None:
        while todo:
            try:
                future, item = todo.popleft()
            except IndexError:
                return
            try:
                future.set_result(function(item))
            except BaseException as error:  # noqa: BLE001  raised again by whoever waits
                future.set_exception(error)
                todo.clear()

    workers: list[tuple[Future[None], threading.Thread]] = []
    try:
        while len(workers) < min(at_once, len(results)):
            workers.append(_spawn(work))
        wait([ended for ended, _ in workers])
    except BaseException:
        todo.clear()
        on_stop()
        until = time.monotonic() + _LAST_SECONDS
        for _, thread in workers:
            thread.join(max(0.0, until - time.monotonic()))
        raise
    # What was begun comes first: an error stands before all that was not.
    return [future.result() for future in results]


def _spawn(function: Callable[[], R]) -> tuple[Future[R], threading.Thread]:
    future: Future[R] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001  raised again by whoever waits
            future.set_exception(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return future, thread
