"""Layers that others made, some to do harm: read as tar does, or refused, soon and in little memory."""

import gzip
import io
import subprocess
import sys
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import VerificationError
from orchestrator.registry.image import gzip_stored
from orchestrator.registry.layer import Budget, entries

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=150)
KINDS = st.sampled_from(
    [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
)


def header(
    name: str = "a", kind: bytes = tarfile.REGTYPE, size: int = 0, data: bytes = b""
) -> bytes:
    """A header with any size, and data filled up to whole blocks."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode = kind, size, 0o644
    block = info.tobuf(tarfile.GNU_FORMAT)
    return block + data + bytes(-len(data) % 512)


def pax(**records: str) -> bytes:
    lines = []
    for key, value in records.items():
        text = f" {key.replace('__', '.')}={value}\n".encode()
        length = len(text) + 1
        length += len(str(length)) - 1 + (len(str(length + 1)) - len(str(length)))
        lines.append(str(length).encode() + text)
    data = b"".join(lines)
    return header("pax", tarfile.XHDTYPE, len(data), data)


def compressed(*parts: tuple[bytes, int]) -> bytes:
    """Each part so many times over, as gzip streams one after another."""
    return b"".join(gzip.compress(part) * times for part, times in parts)


def read(layer: bytes, **options: object) -> list[str]:
    return [entry.name for entry in entries([layer], **options)]  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(NAMES, KINDS, st.binary(max_size=1500)), max_size=8),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.integers(1, 5000),
)
def test_the_same_as_tarfile(files: list[tuple[str, bytes, bytes]], form: int, piece: int) -> None:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=form) as archive:
        for name, kind, data in files:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.linkname = kind, 0o750, "é" * 120
            info.size = len(data) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(data))
    tar = output.getvalue()
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        expected = [
            (e.name, e.type, e.mode, archive.extractfile(e).read() if e.isreg() else b"")  # type: ignore[union-attr]
            for e in archive
        ]
    for layer in (tar, gzip_stored(tar), gzip.compress(tar)):
        pieces = [layer[at : at + piece] for at in range(0, len(layer), piece)]
        found = [(e.name, e.kind, e.mode, e.data) for e in entries(pieces)]
        assert found == expected


@given(st.binary(max_size=3000), st.integers(0, 2000), st.booleans())
def test_any_bytes_are_read_or_refused(noise: bytes, at: int, zipped: bool) -> None:
    good = header("a", size=5, data=b"hello") + header("b") + bytes(1024)
    spoiled = good[:at] + noise + good[at + len(noise) :]
    try:
        read(gzip_stored(spoiled) if zipped else spoiled)
    except VerificationError as error:
        assert "layer" in error.message


def test_gzip_streams_one_after_another_are_one() -> None:
    tar = header("a", size=5, data=b"hello") + header("b") + bytes(1024)
    assert read(gzip.compress(tar[:700]) + gzip.compress(tar[700:])) == ["a", "b"]


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (b"\x1f\x8b broken", "broken"),
        (b"not a tar" * 100, "broken"),
        (gzip_stored(b"x" * 9), "ends early"),
        (gzip_stored(header() + bytes(1024))[:-4], "gzip stream ends early"),
        (gzip_stored(header() + bytes(1024)) + b"more", "broken"),
        (b"\x28\xb5\x2f\xfd rest", "zstd"),
        (header(size=-512), "negative size"),
        (header(size=-(2**40)), "negative size"),
        (pax(size="-512") + header(), "negative size"),
        (pax(size="9" * 5000) + header(), "broken"),
        (pax(size=str(2**62)) + header(), "file of 4611686018427387904 bytes"),
        (header(size=2**62), "file of 4611686018427387904 bytes"),
        (header(size=10, data=b""), "ends early"),
        (header("x", tarfile.XHDTYPE, 2**40), "header of 1099511627776 bytes"),
        (header("x", tarfile.XHDTYPE, -512), "header of -512 bytes"),
        (header("x", tarfile.XHDTYPE, 3, b"9 a"), "broken pax header"),
        (header("x", tarfile.XHDTYPE, 5, b"0 a=\n"), "broken pax header"),
        (header("x", tarfile.GNUTYPE_LONGNAME, 2**40), "header of 1099511627776 bytes"),
        (header("x", tarfile.GNUTYPE_LONGNAME, 9000, b"n" * 9000) + header(), "9000 characters"),
        (header("x", tarfile.GNUTYPE_SPARSE), "sparse"),
        (pax(GNU__sparse__major="1", GNU__sparse__realsize=str(2**50)) + header(), "sparse"),
    ],
)  # fmt: skip
def test_hostile_layers(layer: bytes, says: str) -> None:
    for sent in (layer,) if layer.startswith((b"\x1f", b"\x28")) else (layer, gzip_stored(layer)):
        with pytest.raises(VerificationError, match="a layer is") as caught:
            read(sent)
        assert says in caught.value.message


def test_what_is_not_wanted_is_passed_over_and_not_held() -> None:
    layer = header("big", size=10**6, data=b"x" * 10**6) + header("a", size=2, data=b"ok")
    few = Budget(held=5000)
    found = list(entries([layer], wanted="a".__eq__, budget=few))
    assert [(entry.name, entry.data) for entry in found] == [("big", b""), ("a", b"ok")]
    with pytest.raises(VerificationError, match="too many files"):
        read(layer, budget=Budget(held=5000))


BOMBS = {
    "one huge file": "[(header('a', size=2**33), 1), (bytes(2**20), 2**13)]",
    "many files": "[(header('a') * 2048, 2**11)]",
    "many pax headers": "[((header('x', b'x', 2**19, b'8 abc=d\\n' * 2**16)), 2**12)]",
    "many names": "[(header('x', b'L', 2**20, b'n' * 2**20), 2**12)]",
    "after the end": "[(header('a') + bytes(1024), 1), (bytes(2**20), 2**13)]",
}
SMALL = r"""
import re, time
from tests.unit.registry.test_layer import compressed, entries, header
bomb = compressed(*{parts})
started = time.monotonic()
try:
    for entry in entries([bomb], wanted=lambda name: False): pass
except Exception as error:
    print(type(error).__name__)
print(time.monotonic() - started)
print(int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs(bomb: str) -> None:
    script = SMALL.format(parts=BOMBS[bomb])
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    kind, seconds, mebibytes = done.stdout.split()
    assert kind == "VerificationError"
    assert int(mebibytes) < 200
    assert float(seconds) < 60
