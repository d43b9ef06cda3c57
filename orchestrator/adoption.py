"""Generate or adopt: whether the werf config is rendered, or the module's own is run as it is."""

import posixpath
from collections.abc import Collection
from typing import Final

from orchestrator.errors import ConfigError
from orchestrator.settings import Settings

# In the order in which werf looks for them.
OWN_CONFIGS: Final = ("werf.yaml", "werf.yml")


def own_config(settings: Settings, paths: Collection[str]) -> str | None:
    """The config of the module's own that is to be run, None where one is to be rendered.

    Raises ConfigError where the settings contradict each other or the module.
    """
    if settings["werf_config"] is not None:
        path = _named(settings, paths)
    elif settings["mode"] == "generate":
        return None
    else:
        found = [name for name in OWN_CONFIGS if name in paths]
        if not found:
            if settings["mode"] == "auto":
                return None
            raise ConfigError(
                f"mode is adopt ({settings.origin('mode')}), but the module has no werf.yaml",
                hint="commit one, name another file with --werf-config, or leave the mode to auto",
            )
        path = found[0]
    if settings["builder"] == "buildah":
        raise ConfigError(
            f"buildah ({settings.origin('builder')}) cannot build from the module's own {path}",
            hint="build with werf, or render the config instead: --mode generate",
        )
    return path


def _named(settings: Settings, paths: Collection[str]) -> str:
    path: str = posixpath.normpath(settings["werf_config"])
    origin = settings.origin("werf_config")
    if settings["mode"] == "generate":
        raise ConfigError(
            f"mode is generate ({settings.origin('mode')}), but {path} is to be run ({origin})",
            hint="leave one of both out",
        )
    if path not in paths:
        raise ConfigError(
            f"{path} ({origin}) is not in the module's git tree",
            hint="give its path below the module's directory, and commit the file",
        )
    return path
