"""Small blobs and manifests on disk by their digest; several processes may share the directory."""

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from orchestrator.model import Digest

ITEM_LIMIT: Final = 4 * 1024 * 1024
LIMIT: Final = 256 * 1024 * 1024
_UNFINISHED: Final = ".new-"
_ABANDONED_SECONDS: Final = 3600.0


def default_directory(environ: Mapping[str, str]) -> Path | None:
    """By the XDG base directory specification; None where there is no home."""
    for name, below in (("XDG_CACHE_HOME", "orchestrator"), ("HOME", ".cache/orchestrator")):
        if (given := Path(environ.get(name) or ".")).is_absolute():
            return given / below
    return None


class Cache:
    """Whatever fails in here means that there is nothing cached; what is read is checked.

    At most `limit` bytes stay when it is closed: what was used last.
    """

    def __init__(self, directory: Path | None, *, limit: int = LIMIT) -> None:
        self._directory = directory / "sha256" if directory else None
        self._limit = limit
        self._written = 0
        self._lock = threading.Lock()

    def get(self, digest: Digest) -> bytes | None:
        if self._directory is None:
            return None
        path = self._directory / digest.hex
        try:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == digest.hex:
                os.utime(path)
                return data
            path.unlink()
        except OSError:
            pass
        return None

    def put(self, digest: Digest, data: bytes) -> None:
        if self._directory is None or len(data) > ITEM_LIMIT:
            return
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=self._directory, prefix=_UNFINISHED)
        except OSError:
            return
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
            Path(name).replace(self._directory / digest.hex)
        except OSError:
            with suppress(OSError):
                Path(name).unlink(missing_ok=True)
            return
        with self._lock:
            self._written += len(data)
            full = self._written > self._limit // 4
        if full:
            self.trim()

    def trim(self) -> None:
        """Delete what was used longest ago, and what killed processes left."""
        if self._directory is None:
            return
        with self._lock, suppress(OSError):
            self._written = 0
            found = []
            for entry in os.scandir(self._directory):
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime, status.st_size, entry.path, entry.name))
            kept = 0
            for used, size, path, name in sorted(found, reverse=True):
                unfinished = name.startswith(_UNFINISHED)
                abandoned = unfinished and time.time() - used > _ABANDONED_SECONDS
                if not unfinished:
                    kept += size
                if abandoned or (not unfinished and kept > self._limit):
                    with suppress(OSError):
                        Path(path).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._written:
            self.trim()
