"""What is tried again, for how long, and what is said in the end."""

import email.utils

import pytest

from orchestrator.errors import RegistryError, TransientError
from orchestrator.registry.retry import Retry, RetryLater, retry_after


def tried(retries: int, *errors: Exception | None) -> tuple[list[float], Exception | None]:
    """(waits, the error in the end)."""
    waits: list[float] = []
    rest = iter(errors)

    def attempt() -> str:
        error = next(rest)
        if error is not None:
            raise error
        return "done"

    retry = Retry(retries=retries, sleep=waits.append, jitter=lambda: 1.0)
    try:
        assert retry.call(attempt) == "done"
    except RegistryError as error:
        return waits, error
    return waits, None


def transient(after: float | None = None) -> Exception:
    return RetryLater("PUT x: HTTP 503", after=after, status=503, code=None)


def test_waits_grow() -> None:
    waits, error = tried(4, *[TransientError("x") for _ in range(4)], None)
    assert waits == [0.5, 1.0, 2.0, 4.0]
    assert error is None


def test_waits_are_bounded_and_jittered() -> None:
    assert Retry(retries=0, jitter=lambda: 0.0).wait(20, None) == 15.0
    assert Retry(retries=0, jitter=lambda: 1.0).wait(20, None) == 30.0


def test_the_registry_may_say_how_long() -> None:
    assert tried(2, transient(7.0), transient(10**9), None) == ([7.0, 120.0], None)


def test_the_last_error_tells_the_tries() -> None:
    waits, error = tried(2, transient(), transient(), transient())
    assert len(waits) == 2
    assert isinstance(error, TransientError)
    assert error.message == "PUT x: HTTP 503 (attempt 3/3)"
    assert "run the same command again" in (error.hint or "")


def test_other_errors_are_not_tried_again() -> None:
    waits, error = tried(5, RegistryError("HTTP 403"))
    assert waits == []
    assert error is not None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        (email.utils.formatdate(1_000_030, usegmt=True), 30.0),
        (email.utils.formatdate(999_000, usegmt=True), 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("²", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, now=lambda: 1_000_000.0) == seconds
