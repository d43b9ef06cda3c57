"""Changes of files below a directory, by the kernel's notices. The only importer of watchfiles."""

import threading
from collections.abc import Generator
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from orchestrator.errors import OrchestratorError, ToolMissing
from orchestrator.git import OWN_FILES

# A burst ends when nothing has changed for a step, and at the latest after the whole time.
_STEP_MS: Final = 100
_LONGEST_MS: Final = 2000
_WAKE_MS: Final = 200
_IGNORED: Final = frozenset({".git", *OWN_FILES})


def bursts(directory: Path) -> Generator[frozenset[str], None, None]:
    """Paths that changed, burst by burst; the first is empty, once the watch is set up.

    What changes between two calls comes with the next burst.
    """
    found: SimpleQueue[frozenset[str] | Exception] = SimpleQueue()
    stop = threading.Event()
    # In a thread, since watchfiles makes KeyboardInterrupt of whatever a signal handler raises.
    follower = threading.Thread(target=_follow, args=(directory, found, stop), daemon=True)
    follower.start()
    try:
        while True:
            burst = _taken(found.get(), directory)
            while not found.empty():
                burst |= _taken(found.get(), directory)
            yield burst
    finally:
        stop.set()
        follower.join()


def _follow(
    directory: Path, found: "SimpleQueue[frozenset[str] | Exception]", stop: threading.Event
) -> None:
    try:
        from watchfiles import watch

        notices = watch(
            directory,
            watch_filter=lambda _change, path: wanted(Path(path), directory),
            debounce=_LONGEST_MS,
            step=_STEP_MS,
            rust_timeout=_WAKE_MS,
            yield_on_timeout=True,
            stop_event=stop,
        )
        for number, changes in enumerate(notices):
            if changes or number == 0:
                paths = (Path(path) for _change, path in changes)
                found.put(frozenset(str(path.relative_to(directory)) for path in paths))
    except Exception as error:  # noqa: BLE001  raised again by _taken(), in the caller's thread
        found.put(error)


def _taken(burst: frozenset[str] | Exception, directory: Path) -> frozenset[str]:
    if isinstance(burst, ImportError):
        raise ToolMissing(
            "--watch needs the package watchfiles",
            hint="pip install watchfiles, or pipx inject orchestrator watchfiles",
        ) from burst
    # RuntimeError is what watchfiles makes of errors that it has no name for.
    if isinstance(burst, (OSError, RuntimeError)):
        raise OrchestratorError(
            f"cannot watch {directory}: {burst}",
            hint="more directories than fs.inotify.max_user_watches allows? "
            "WATCHFILES_FORCE_POLLING=1 does without",
        ) from burst
    if isinstance(burst, Exception):
        raise burst
    return burst


def wanted(path: Path, directory: Path) -> bool:
    """Not git's own files, nor ours; what git ignores is told by git, when the tree is read."""
    return _IGNORED.isdisjoint(path.relative_to(directory).parts)
