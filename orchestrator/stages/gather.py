"""Several checks, one error: all findings at once."""

from collections.abc import Callable
from typing import TypeVar

from orchestrator.errors import ConfigError, Finding

T = TypeVar("T")


class Gather:
    """Runs checks and keeps their ConfigErrors, to show all at once."""

    def __init__(self) -> None:
        self._errors: list[ConfigError] = []

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return bool(self._errors)

    def __call__(self, check: Callable[[], T]) -> T | None:
        try:
            return check()
        except ConfigError as error:
            self._errors.append(error)
            return None

    def add(self, error: ConfigError) -> None:
        self._errors.append(error)

    def done(self) -> None:
        if not self._errors:
            return
        if len(self._errors) == 1:
            raise self._errors[0]
        findings = [
            finding
            for error in self._errors
            for finding in (error.findings or (Finding("settings", 0, error.message),))
        ]
        hints = [error.hint for error in self._errors if error.hint]
        raise ConfigError(
            "; ".join(error.message for error in self._errors),
            findings,
            hint="; ".join(hints) or None,
        )
