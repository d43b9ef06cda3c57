"""Maps, charts, the lock and the section of the settings, as values."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.deps import basemap, chart, config, lock
from orchestrator.errors import ConfigError
from orchestrator.model import Digest
from tests.unit.lint.modules import packed_chart
from tests.unit.registry.test_layer import header

ONE, TWO = Digest("sha256:" + "1" * 64), Digest("sha256:" + "2" * 64)


def test_a_map_is_rewritten_line_by_line() -> None:
    text = (
        "# version=v1\nREGISTRY_PATH: registry.example.io/base/\n\n"
        f'builder/alpine: "{ONE}" # from: {ONE}\nALPINE: alpine:3.20@{ONE}\n'
    )
    found = basemap.parse(text.encode(), "map.yml")
    assert found.registry == "registry.example.io/base"
    assert {key: (image.line, image.value) for key, image in found.images.items()} == {
        "builder/alpine": (4, ONE),
        "ALPINE": (5, f"alpine:3.20@{ONE}"),
    }
    newer = basemap.BaseImage(line=9, name="alpine:3.21", digest=TWO)
    assert found.with_images({}) == text
    assert found.with_images({"ALPINE": newer, "builder/alpine": newer}) == text.replace(
        f'"{ONE}"', f'"{TWO}"'
    ).replace(f"alpine:3.20@{ONE}", f"alpine:3.21@{TWO}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: latest", "map.yml:1: a: 'latest' is not pinned by a digest"),
        ("a: sha256:example", "not pinned"),
        ("[]", "a map of base images is expected"),
        ("a: {", "not YAML"),
        (f"a: {ONE}\na: {ONE}", "stands twice"),
        (f"a: |-\n  {ONE}", "write its value on the same line"),
    ],
)
def test_maps_that_are_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        basemap.parse(text.encode(), "map.yml")
    assert says in str(caught.value.findings[0])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_map_or_refused(data: bytes) -> None:
    assert isinstance(basemap.keys(data), frozenset)
    try:
        basemap.parse(data, "map.yml")
    except ConfigError as error:
        assert error.findings


def test_a_packed_chart() -> None:
    made = chart.unpack(packed_chart("1.72.13"), "x.tgz")
    assert (made.name, made.version) == ("deckhouse_lib_helm", "1.72.13")
    endless = gzip.compress(header("x/y", size=-512) * 4)
    for data in (b"", b"no archive", packed_chart("../../x"), packed_chart("1.2"), endless):
        with pytest.raises(ConfigError, match=r"x\.tgz"):
            chart.unpack(data, "x.tgz")


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        (
            "dependencies:\n- name: deckhouse_lib_helm\n  version: 1.1.1 # c\n",
            "  version: 2.0.0 # c\n",
        ),
        ('dependencies:\n- version: "1.1.1"\n  name: deckhouse_lib_helm\n', '- version: "2.0.0"\n'),
        ("dependencies: [{name: deckhouse_lib_helm, version: 1.1.1}]\n", "version: 2.0.0}]\n"),
    ],
)
def test_a_version_in_chart_yaml(text: str, becomes: str) -> None:
    found = chart.dependency(text.encode(), "Chart.yaml")
    assert found is not None
    assert becomes in chart.with_version(text, found, "2.0.0")


def test_a_chart_without_lib_helm() -> None:
    for text in ("", "dependencies: 1", "dependencies: [{name: other}]", "a: ["):
        assert chart.dependency(text.encode(), "Chart.yaml") is None


def test_the_lock_reads_back_and_is_stable() -> None:
    made = lock.Lock(
        base_images=lock.LockedMap(origin="./map.yml", read=ONE, file="map.yml", images={"a": TWO}),
        lib_helm=lock.LockedChart(origin="./x.tgz", read=ONE, file="charts/x.tgz", version="1.0.0"),
    )
    assert lock.read(lock.write(made)) == made
    assert lock.read(lock.write(lock.Lock())) == lock.Lock()


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"schema":2}', b'{"schema":1,"lib_helm":{}}', b'{"schema":1,"base_images":7}',
     b'{"schema":1,"base_images":{"from":"","read":"","file":"","images":{"a":"b"}}}'],
)  # fmt: skip
def test_a_broken_lock(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"orchestrator\.lock cannot be read"):
        lock.read(data)


def test_where_from() -> None:
    made = config.read(
        b"deps:\n  base_images:\n    from: registry.example.io/base/map:v1\n    file: build/map.yml\n"
        b"  lib_helm:\n    from: oci://registry.example.io/charts/deckhouse_lib_helm:1.72.13\n"
    )
    assert made.map_file == "build/map.yml"
    assert str(made.base_images and made.base_images.reference) == "registry.example.io/base/map:v1"
    assert made.lib_helm and made.lib_helm.reference and made.lib_helm.reference.tag == "1.72.13"
    assert config.read(None) == config.Deps()
    bare = config.read(b"deps: {base_images: {from: registry.example.io/base}}")
    assert str(bare.base_images and bare.base_images.repository) == "registry.example.io/base"
    file = config.read(b"deps: {base_images: {from: ../map.yml}}")
    assert file.base_images and file.base_images.file == "../map.yml"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("base_images: {}", "orchestrator.yaml:1: base_images: the key from is missing"),
        ("base_image: {from: ./x}", "did you mean base_images?"),
        ("base_images: {from: ./x, file: ../y}", "not a path inside the module"),
        ("base_images: {from: nothing}", "does not start with a registry host"),
        ("lib_helm: {from: registry.example.io/charts}", "neither a tag nor a digest"),
        ("lib_helm: {from: 7}", "text is expected"),
    ],
)
def test_a_wrong_section(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.read(f"deps: {{{text}}}".encode())
    assert says in str(caught.value.findings[0])
