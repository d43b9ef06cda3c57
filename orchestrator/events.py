"""Events: how anything below the command line says what it does."""

from typing import Any, Protocol


class Tell(Protocol):
    """Takes an event for whoever watches; never decides anything."""

    def __call__(self, event: str, /, **fields: Any) -> None: ...


def silent(_event: str, /, **_fields: Any) -> None:
    """Nobody watches."""
