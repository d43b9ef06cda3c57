"""Layers read as streams: any bytes give files or a VerificationError."""

import gzip
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import VerificationError
from orchestrator.inspection import layers
from orchestrator.inspection.layers import Scan, Wanted, scan
from orchestrator.registry.image import LayerFile, gzip_stored, layer_tar

ALL = Wanted(keep=lambda _name: True, hashed=True)
TAR = layer_tar([LayerFile(path="a/b", data=b"x" * 700), LayerFile(path="c", data=b"c")])


def names(found: Scan) -> list[str]:
    return [member.name for member in found.members]


@pytest.mark.parametrize(
    "layer",
    [
        TAR,
        gzip_stored(TAR),
        gzip.compress(TAR),
        gzip.compress(TAR[:600]) + gzip.compress(TAR[600:]),
    ],
)
@pytest.mark.parametrize("piece", [1, 511, 100_000])
def test_pieces_and_compressions(layer: bytes, piece: int) -> None:
    found = scan(Scan(), (layer[at : at + piece] for at in range(0, len(layer), piece)), ALL)
    assert names(found) == ["a", "a/b", "c"]
    content = found.contents["a/b"]
    content.seek(0)
    assert content.read() == b"x" * 700


def test_an_empty_layer_has_no_files() -> None:
    for layer in (b"", gzip.compress(b""), bytes(1024), gzip.compress(bytes(1024))):
        assert scan(Scan(), [layer], ALL).members == ()


@given(st.data())
def test_a_damaged_layer_is_refused_or_read(data: st.DataObject) -> None:
    layer = bytearray(data.draw(st.sampled_from([TAR, gzip.compress(TAR), gzip_stored(TAR)])))
    for _ in range(data.draw(st.integers(1, 4))):
        layer[data.draw(st.integers(0, len(layer) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(layer)))
    for damaged in (bytes(layer), bytes(layer[:cut])):
        try:
            scan(Scan(), [damaged], ALL)
        except VerificationError as error:
            assert "layer" in error.message or "to read at once" in error.message


@given(st.binary(max_size=3000))
def test_any_bytes(data: bytes) -> None:
    for layer in (data, gzip.compress(data)):
        try:
            scan(Scan(), [layer], ALL)
        except VerificationError:
            continue


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VerificationError, match="too much to read at once"):
        scan(Scan(), [TAR], Wanted(keep=lambda _name: True, limit=700))
    monkeypatch.setattr(layers, "_MOST_MEMBERS", 2)
    with pytest.raises(VerificationError, match="more than 2 files"):
        scan(Scan(), [TAR], Wanted())
    monkeypatch.undo()
    monkeypatch.setattr(layers, "MOST_BYTES", 1000)
    with pytest.raises(VerificationError, match="it unpacks to too much"):
        scan(Scan(), [TAR], Wanted())


def test_a_header_in_the_midst_that_cannot_be_read() -> None:
    broken = TAR[:512] + b"\xff" * 512 + TAR[1024:]
    with pytest.raises(VerificationError, match="bad checksum"):
        scan(Scan(), [broken], Wanted())


def sparse(size: int) -> bytes:
    """A file with holes as old GNU tar writes it."""
    entry = tarfile.TarInfo("holes")
    block = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[483:495] = f"{size:011o} ".encode()
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block[:512]):06o}\0 ".encode()
    return bytes(block)


@pytest.mark.parametrize("wanted", [Wanted(), ALL, Wanted(hashed=True)])
def test_files_with_holes_are_refused(wanted: Wanted) -> None:
    with pytest.raises(VerificationError, match="'holes' is a sparse file"):
        scan(Scan(), [sparse(8 * 1024**3 - 1) + bytes(1024)], wanted)


def test_headers_in_a_chain_are_not_followed_by_recursion() -> None:
    pax = tarfile.TarInfo("x")
    pax.type = tarfile.XHDTYPE
    layer = pax.tobuf(tarfile.GNU_FORMAT) * 5000 + tarfile.TarInfo("y").tobuf() + bytes(1024)
    assert names(scan(Scan(), [layer], Wanted())) == ["y"]


def test_names_that_are_no_utf8() -> None:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("\udcff"))
    assert names(scan(Scan(), [output.getvalue()], Wanted())) == ["\udcff"]
