"""The way to registries, as the settings say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrator.process import Runner
from orchestrator.registry.client import Registry
from orchestrator.settings import Settings

_SOON: Final = 10


def connect(
    settings: Settings, environ: Mapping[str, str], runner: Runner, *, patient: bool = True
) -> Registry:
    """A client of registries as the settings say; one that is not patient asks once, and not long."""
    given = settings["docker_config"]
    ca_file = settings["ca_file"]
    return Registry.connect(
        env=environ,
        runner=runner,
        insecure=settings["insecure_registry"],
        ca_file=Path(ca_file) if ca_file else None,
        retries=settings["retries"] if patient else 0,
        timeout=float(settings["timeout"] if patient else min(settings["timeout"], _SOON)),
        concurrency=settings["concurrency"],
        docker_config=Path(given) if given else None,
    )
