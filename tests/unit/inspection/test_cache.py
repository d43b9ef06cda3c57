"""The cache: by content, checked, bounded, shared, and never a reason to fail."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.inspection.cache import ITEM_LIMIT, Cache, default_directory
from orchestrator.model import Digest


def digest(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def test_what_is_put_is_got_by_another(tmp_path: Path) -> None:
    with Cache(tmp_path) as cache:
        assert cache.get(digest(b"a")) is None
        cache.put(digest(b"a"), b"a")
    assert Cache(tmp_path).get(digest(b"a")) == b"a"
    assert (tmp_path / "sha256").stat().st_mode & 0o077 == 0


def test_what_was_changed_is_dropped(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put(digest(b"a"), b"a")
    (path,) = (tmp_path / "sha256").iterdir()
    path.write_bytes(b"b")
    assert cache.get(digest(b"a")) is None
    assert not path.exists()


def test_what_was_used_last_stays(tmp_path: Path) -> None:
    items = [bytes([number]) * 100 for number in range(10)]
    with Cache(tmp_path, limit=10_000) as cache:
        for age, item in enumerate(items):
            cache.put(digest(item), item)
            used = 1_000_000 + age
            os.utime(tmp_path / "sha256" / digest(item).hex, (used, used))
        assert cache.get(items and digest(items[0])) == items[0]
        abandoned = tmp_path / "sha256" / ".new-old"
        abandoned.write_bytes(b"half")
        os.utime(abandoned, (1, 1))
        fresh = tmp_path / "sha256" / ".new-fresh"
        fresh.write_bytes(b"half")
    cache = Cache(tmp_path, limit=350)
    cache.trim()
    left = {path.name for path in (tmp_path / "sha256").iterdir()}
    assert left == {digest(item).hex for item in (items[0], items[9], items[8])} | {".new-fresh"}


def test_large_blobs_and_no_directory(tmp_path: Path) -> None:
    large = bytes(ITEM_LIMIT + 1)
    cache = Cache(tmp_path)
    cache.put(digest(large), large)
    assert cache.get(digest(large)) is None
    with Cache(None) as nowhere:
        nowhere.put(digest(b"a"), b"a")
        nowhere.trim()
        assert nowhere.get(digest(b"a")) is None
    blocked = tmp_path / "file"
    blocked.write_text("")
    with Cache(blocked) as cache:
        cache.put(digest(b"a"), b"a")
        assert cache.get(digest(b"a")) is None


def test_many_writers_and_a_trimmer(tmp_path: Path) -> None:
    items = [str(number).encode() * 50 for number in range(200)]

    def work(item: bytes) -> bool:
        with Cache(tmp_path, limit=2000) as cache:
            cache.put(digest(item), item)
            return cache.get(digest(item)) in {item, None}

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, items * 2))
    sizes = [path.stat().st_size for path in (tmp_path / "sha256").iterdir()]
    assert sum(sizes) <= 2000 and sizes


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/orchestrator"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/orchestrator"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/orchestrator"),
        ({}, "None"),
    ],
)
def test_where_it_lies(environ: dict[str, str], expected: str) -> None:
    assert str(default_directory(environ)) == expected
