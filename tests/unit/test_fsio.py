"""Files are written whole or not at all."""

import os
from pathlib import Path

import pytest

from orchestrator import fsio


def test_atomic_write(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    fsio.atomic_write(path, b"one")
    fsio.atomic_write(path, b"two", mode=0o600)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["b"]


def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    fsio.atomic_write(path, b"one")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        fsio.atomic_write(path, b"two")
    assert path.read_bytes() == b"one"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_hashes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert fsio.sha256_file(path) is None
    path.write_bytes(b"x")
    assert fsio.sha256_file(path) == fsio.sha256(b"x")
    assert fsio.sha256_file(tmp_path) is None


def test_json() -> None:
    assert fsio.canonical_json({"b": "é", "a": [1]}) == '{"a":[1],"b":"é"}'.encode()
    assert fsio.pretty_json({"b": 1, "a": 2}) == b'{\n  "a": 2,\n  "b": 1\n}\n'
