"""Changes of files below a directory, by the kernel's notices. The only importer of watchfiles."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.errors import OrchestratorError, ToolMissing
from orchestrator.git import OWN_FILES

# A burst ends when nothing has changed for a step, and at the latest after the whole time.
_STEP_MS: Final = 100
_LONGEST_MS: Final = 2000
_WAKE_MS: Final = 200
_IGNORED: Final = frozenset({".git", *OWN_FILES})


def bursts(directory: Path) -> Iterator[frozenset[str]]:
    """Paths that changed, burst by burst; the first is empty, once the watch is set up.

    What changes between two calls comes with the next burst.
    """
    try:
        from watchfiles import watch
    except ImportError as error:
        raise ToolMissing(
            "--watch needs the package watchfiles",
            hint="pip install watchfiles, or pipx inject orchestrator watchfiles",
        ) from error
    try:
        found = watch(
            directory,
            watch_filter=lambda _change, path: wanted(Path(path), directory),
            debounce=_LONGEST_MS,
            step=_STEP_MS,
            rust_timeout=_WAKE_MS,
            yield_on_timeout=True,
        )
        first = True
        for changes in found:
            names = frozenset(str(Path(path).relative_to(directory)) for _change, path in changes)
            if names or first:
                first = False
                yield names
    except OSError as error:
        raise OrchestratorError(
            f"cannot watch {directory}: {error}",
            hint="more directories than fs.inotify.max_user_watches allows? "
            "WATCHFILES_FORCE_POLLING=1 does without",
        ) from error


def wanted(path: Path, directory: Path) -> bool:
    """Not git's own files, nor ours; what git ignores is told by git, when the tree is read."""
    return _IGNORED.isdisjoint(path.relative_to(directory).parts)
