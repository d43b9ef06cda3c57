"""Trying again: what may pass, how long to wait, when to give up."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from orchestrator.errors import TransientError

T = TypeVar("T")

_FIRST_SECONDS: Final = 0.5
_LONGEST_SECONDS: Final = 30.0
_LONGEST_ASKED_SECONDS: Final = 120.0


class RetryLater(TransientError):
    """Transient, and the registry may have said for how many seconds to wait."""

    def __init__(self, message: str, *, after: float | None, status: int, code: str | None) -> None:
        super().__init__(message, status=status, code=code)
        self.after = after


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Exponential waits with jitter, `retries` times after the first try."""

    retries: int
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def call(self, attempt: Callable[[], T]) -> T:
        """The result of the first try that is not transient; the last error tells the tries."""
        for number in range(self.retries + 1):
            try:
                return attempt()
            except TransientError as error:
                if number == self.retries:
                    if self.retries:
                        error.message += f" (attempt {number + 1}/{self.retries + 1})"
                        error.args = (error.message,)
                    if error.hint is None:
                        error.hint = "it may pass: run the same command again"
                    raise
                self.sleep(self.wait(number, getattr(error, "after", None)))
        raise AssertionError("unreachable")

    def wait(self, number: int, after: float | None) -> float:
        """Seconds before try `number + 1`."""
        if after is not None:
            return min(after, _LONGEST_ASKED_SECONDS)
        full: float = min(_FIRST_SECONDS * 2**number, _LONGEST_SECONDS)
        return full * (0.5 + self.jitter() / 2)


def retry_after(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Seconds that a Retry-After header asks for; it holds a number or an HTTP date."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now())
    except (TypeError, ValueError, OverflowError):
        return None
