"""Layers and images: the same bytes everywhere, read by other tools."""

import gzip
import io
import json
import subprocess
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from orchestrator.fsio import sha256
from orchestrator.registry.image import (
    LayerFile,
    assemble,
    gzip_stored,
    layer_tar,
)
from orchestrator.registry.layer import entries

NAMES = st.from_regex(r"[a-z0-9_-]{1,8}(\.[a-z]{1,3})?", fullmatch=True)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def file(path: str, data: bytes = b"", *, executable: bool = False) -> LayerFile:
    return LayerFile(path=path, data=data, executable=executable)


def test_a_known_digest() -> None:
    """Pins the bytes: whoever changes them changes the digest of every published module."""
    image = assemble([file("a/b", b"x", executable=True)], annotations={"k": "v"}, created=None)
    assert sha256(image.layer) == (
        "sha256:8c26dd8483f29c616b92239621c6dcc5b6a32e49204573ce0dd89d5a0a15a922"
    )
    assert image.digest == "sha256:aaefa6439323e8cf6c0d869ba86128a23418c536e4a6a68411ce0fb3528f2c27"


def test_entries() -> None:
    files = [file("b/c/run", b"#!", executable=True), file("a", b"text"), file("b/x")]
    with tarfile.open(fileobj=io.BytesIO(layer_tar(files))) as archive:
        entries = [(e.name, e.type, e.mode, e.uid, e.gid, e.mtime, e.uname) for e in archive]
    directory, regular = tarfile.DIRTYPE, tarfile.REGTYPE
    assert entries == [
        ("a", regular, 0o644, 0, 0, 0, ""),
        ("b", directory, 0o755, 0, 0, 0, ""),
        ("b/c", directory, 0o755, 0, 0, 0, ""),
        ("b/c/run", regular, 0o755, 0, 0, 0, ""),
        ("b/x", regular, 0o644, 0, 0, 0, ""),
    ]


@pytest.mark.parametrize("path", ["../a", "/a", "a/../b", "a..b", "./a", "a//b", "a/", "", "a\nb"])
def test_paths_that_dkp_would_refuse(path: str) -> None:
    with pytest.raises(ConfigError):
        layer_tar([file(path)])


def test_a_file_and_a_directory_of_one_name() -> None:
    with pytest.raises(ConfigError, match="a is a file and a directory"):
        layer_tar([file("a"), file("a/b")])


@given(st.dictionaries(PATHS, st.tuples(st.binary(max_size=200), st.booleans()), max_size=6))
def test_what_goes_in_comes_out(files: dict[str, tuple[bytes, bool]]) -> None:
    made = [file(path, data, executable=run) for path, (data, run) in files.items()]
    try:
        layer = gzip_stored(layer_tar(made))
    except ConfigError:
        return
    assert layer == gzip_stored(layer_tar(reversed(made)))
    read = [
        file(entry.name, entry.data, executable=bool(entry.mode & 0o100))
        for entry in entries([layer])
        if entry.is_file
    ]
    assert read == sorted(made)


@given(st.binary(max_size=200_000) | st.integers(65530, 131_080).map(bytes))
def test_the_gzip_stream_is_one(data: bytes) -> None:
    assert gzip.decompress(gzip_stored(data)) == data


def test_system_tools_read_it() -> None:
    layer = gzip_stored(layer_tar([file("dir/ä", b"x" * 100_000)]))
    done = subprocess.run(["tar", "-tzf", "-"], input=layer, capture_output=True, check=True)
    assert done.stdout.decode().splitlines()[0] == "dir/"
    assert done.stderr == b""


def test_the_config_and_the_manifest() -> None:
    image = assemble([file("a")], annotations={"k": "v"}, created="2026-01-02T03:04:05Z")
    config = json.loads(image.config)
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert config["created"] == "2026-01-02T03:04:05Z"
    assert config["rootfs"]["diff_ids"] == [sha256(gzip.decompress(image.layer))]
    manifest = json.loads(image.manifest)
    assert manifest["annotations"] == {"k": "v"}
    assert manifest["layers"][0]["digest"] == sha256(image.layer)
    assert manifest["config"]["digest"] == sha256(image.config)
    bare = json.loads(assemble([], annotations={}, created=None).manifest)
    assert "annotations" not in bare
