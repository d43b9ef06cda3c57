"""Maps of base images in the forms that public modules have."""

import pytest

from orchestrator.base_images import merge, parse
from orchestrator.errors import ConfigError

D = "sha256:" + "1" * 64


@pytest.mark.parametrize(
    ("text", "key", "reference"),
    [
        (f"REGISTRY_PATH: r.io/base\nbuilder/src: {D}\n", "builder/src", f"r.io/base@{D}"),
        (f"REGISTRY_PATH: r.io/base/\nA: alpine:3@{D}\n", "A", f"r.io/base/alpine:3@{D}"),
        ("REGISTRY_PATH: ''\nALPINE: alpine:3.20\n", "ALPINE", "alpine:3.20"),
        (f"x: r.io/base@{D}/\n", "x", f"r.io/base@{D}"),
    ],
)
def test_forms(text: str, key: str, reference: str) -> None:
    assert parse(text.encode(), "map") == {key: reference}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"a: {D}\n", "map:1: a: '{D}' names no image"),
        ("REGISTRY_PATH: r.io\nok: x:1\nb: 'two words'\n", "map:3: b: 'two words' names no image"),
        ("a: {b: c}\n", "names no image"),
        ("- a\n", "map:1: a map is expected"),
        ("a: [\n", "map:"),
    ],
)
def test_what_is_no_map(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text.encode(), "map")
    assert says.replace("{D}", D) in str(caught.value.details)


def test_the_first_map_with_a_key_decides() -> None:
    assert merge([{"a": "1"}, {"a": "2", "b": "3"}]) == {"a": "1", "b": "3"}
