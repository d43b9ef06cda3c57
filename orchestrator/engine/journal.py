"""The journal: an append-only, fsynced file of what each stage did, and the lock beside it.

It only remembers; probes decide. A torn last line is cut off, any other damage sets the file aside.
"""

import errno
import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import Busy
from orchestrator.fsio import atomic_write, canonical_json, fsync_directory, sha256

SCHEMA: Final = 1
_COMPACT_AT_LINES: Final = 1000


class Event(StrEnum):
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line: what a stage started from, or how it ended."""

    stage: str
    event: Event
    revision: int
    fingerprint: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    at: str = ""


class _Damaged(Exception):
    pass


def _encode(value: Mapping[str, Any]) -> bytes:
    return canonical_json({**value, "sum": sha256(canonical_json(value))[7:23]}) + b"\n"


def _decode(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
        claimed = value.pop("sum")
        found = sha256(canonical_json(value))[7:23]
    except (ValueError, RecursionError, KeyError, AttributeError, TypeError) as error:
        raise _Damaged("not a journal line") from error
    if found != claimed:
        raise _Damaged("a line was changed")
    return dict(value)


def _record(value: dict[str, Any]) -> Record:
    try:
        return Record(**{**value, "event": Event(value["event"])})
    except (TypeError, ValueError, KeyError) as error:
        raise _Damaged("a line of another shape") from error


def _line(record: Record) -> bytes:
    return _encode({name: getattr(record, name) for name in Record.__slots__})


def fold(data: bytes, header: Mapping[str, Any]) -> tuple[list[Record], int]:
    """Records in order, and how many bytes of `data` are sound; raises on damage before the tail."""
    lines = data.splitlines(keepends=True)
    sound = 0
    records: list[Record] = []
    for number, line in enumerate(lines):
        torn = number == len(lines) - 1 and not line.endswith(b"\n")
        if torn:
            break
        value = _decode(line)
        if number == 0:
            if value != header:
                raise _Damaged("it belongs to another target or another version of this program")
        else:
            records.append(_record(value))
        sound += len(line)
    return records, sound


class Journal:
    """The last record of each stage, and appending to it."""

    def __init__(self, path: Path, header: Mapping[str, Any], records: list[Record]) -> None:
        self._path = path
        self._header = {"schema": SCHEMA, **header}
        self.records = {record.stage: record for record in records}

    @classmethod
    def read(
        cls,
        path: Path,
        header: Mapping[str, Any],
        *,
        repair: bool = False,
        warn: Callable[[str], None] = lambda _text: None,
    ) -> "Journal":
        """`repair` cuts a torn last line, compacts, and moves a damaged file aside; else read only."""
        full = {"schema": SCHEMA, **header}
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return cls(path, header, [])
        try:
            records, sound = fold(data, full)
        except _Damaged as damage:
            if repair:
                aside = path.with_suffix(".bad")
                os.replace(path, aside)
                warn(f"the journal is set aside as {aside.name}: {damage}")
            return cls(path, header, [])
        journal = cls(path, header, records)
        if repair and (len(records) > _COMPACT_AT_LINES or not sound):
            journal._rewrite()
        elif repair and sound < len(data):
            os.truncate(path, sound)
        return journal

    def append(self, record: Record) -> None:
        """Durable when this returns; on a full disk the journal stays as it was."""
        fresh = not self._path.exists()
        if fresh:
            self._rewrite()
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        before = os.fstat(descriptor).st_size
        try:
            _write_whole(descriptor, _line(record))
            os.fsync(descriptor)
        except OSError:
            # A part of a line would spoil the next one, and with it the whole file.
            with suppress(OSError):
                os.ftruncate(descriptor, before)
            raise
        finally:
            os.close(descriptor)
        self.records[record.stage] = record

    def _rewrite(self) -> None:
        lines = [_encode(self._header), *map(_line, self.records.values())]
        atomic_write(self._path, b"".join(lines))
        fsync_directory(self._path.parent.parent)


def _write_whole(descriptor: int, line: bytes) -> None:
    if os.write(descriptor, line) != len(line):
        raise OSError(errno.ENOSPC, "the journal line was cut short")


@contextmanager
def lock(path: Path, *, command: str) -> Iterator[None]:
    """One run a work tree; raises Busy naming the holder. The kernel frees it when a holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 4096).decode(errors="replace").strip()
            raise Busy(
                f"another run works on this module: {holder or 'unknown'}",
                hint="wait until it has ended, then run the same command again",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(
            descriptor, f"pid {os.getpid()} on {socket.gethostname()}, {command}\n".encode(), 0
        )
        yield
    finally:
        with suppress(OSError):
            os.close(descriptor)
