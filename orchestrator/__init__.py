"""Publish Deckhouse modules: render, build, assemble, publish, read back."""

from typing import Final

__version__: Final = "0.1.0"
