"""New images on built ones: what changes, what does not, and what is no image."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import RegistryError
from orchestrator.fsio import canonical_json
from orchestrator.model import Digest, Reference
from orchestrator.publishing.labels import Built, Labels, labelled, labels
from orchestrator.publishing.plan import Name
from orchestrator.publishing.tags import Strategy, Tag
from orchestrator.registry.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Manifest,
)

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = {"mediaType": "application/x", "digest": "sha256:" + "1" * 64, "size": 7}
OWN = Labels(own={"a": "1"}, default={"werf": "fallback"})


def digest(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def manifest(value: dict[str, Any], media_type: str) -> Manifest:
    data = json.dumps(value, indent=3).encode()
    return Manifest(media_type=media_type, digest=digest(data), data=data, json=value)


def built(
    config: Any, *, media_type: str = OCI_MANIFEST, config_type: str = OCI_CONFIG, **more: Any
) -> Built:
    data = json.dumps(config).encode()
    value = {
        "schemaVersion": 2,
        "config": {"mediaType": config_type, "digest": digest(data), "size": len(data)},
        "layers": [LAYER],
        **more,
    }
    return Built(manifest=manifest(value, media_type), config=data)


def index(*children: Built, media_type: str = OCI_INDEX, **more: Any) -> Built:
    entries = [
        {
            "mediaType": child.manifest.media_type,
            "digest": child.manifest.digest,
            "size": child.manifest.size,
            "platform": {"os": "linux", "architecture": f"cpu{number}"},
            "data": "b2xk",
        }
        for number, child in enumerate(children)
    ]
    value = {"schemaVersion": 2, "manifests": [*entries, *more.pop("others", [])], **more}
    by_digest = {child.manifest.digest: child for child in children}
    return Built(manifest=manifest(value, media_type), children=by_digest)


def name(strategy: Strategy, value: str, tag: str, image: str = "backend") -> Name:
    made = Tag(strategy=strategy, value=value, tag=tag)
    return Name(image=image, tag=made, target=Reference.parse(f"r.io/x:{tag}"))


def test_what_the_labels_say() -> None:
    found = labels(name(Strategy.GIT_BRANCH, "a/b", "a-b-1"), project="web", fallback="x")
    assert found.onto({"werf": "other", "kept": "yes"}) == {
        "werf": "web",
        "werf-image": "true",
        "werf-image-name": "backend",
        "werf-image-tag": "a-b-1",
        "werf-tag-strategy": "git-branch",
        "io.deckhouse.orchestrator.git-reference": "a/b",
        "kept": "yes",
    }


def test_a_custom_tag_has_no_git_reference_not_even_that_of_its_base() -> None:
    found = labels(name(Strategy.CUSTOM, "v1", "v1", ""), project=None, fallback="last")
    made = found.onto({"io.deckhouse.orchestrator.git-reference": "of the base", "werf": "web"})
    assert made == {
        "werf": "web",
        "werf-image": "true",
        "werf-image-name": "",
        "werf-image-tag": "v1",
        "werf-tag-strategy": "custom",
    }
    assert found.onto({})["werf"] == "last"


@pytest.mark.parametrize(
    ("media_type", "config_type"), [(OCI_MANIFEST, OCI_CONFIG), (DOCKER_MANIFEST, DOCKER_CONFIG)]
)
def test_only_labels_change(media_type: str, config_type: str) -> None:
    before = {
        "os": "linux",
        "rootfs": {"diff_ids": []},
        "config": {"User": "1", "Labels": {"b": "2"}},
    }
    original = built(
        before, media_type=media_type, config_type=config_type, annotations={"kept": "yes"}
    )
    made = labelled(original, OWN, "x")
    value = json.loads(made.manifest)
    assert json.loads(made.config_data) == {
        **before,
        "config": {"User": "1", "Labels": {"a": "1", "b": "2", "werf": "fallback"}},
    }
    assert value["config"] == {
        "mediaType": config_type,
        "digest": digest(made.config_data),
        "size": len(made.config_data),
    }
    assert {**value, "config": original.manifest.json["config"]} == original.manifest.json
    assert made.media_type == media_type
    assert made.digest == digest(made.manifest) != original.manifest.digest
    assert [layer.digest for layer in made.layers] == [LAYER["digest"]]


def test_a_pinned_digest() -> None:
    original = built({"config": {"Labels": {"b": "2"}}, "os": "linux"})
    assert labelled(original, OWN, "x").digest == (
        "sha256:025f6a66a4222436b5a43af9a858416107e4bf461a22c5225221117a9e66290c"
    )


@pytest.mark.parametrize("config", [{}, {"config": None}, {"config": {"Labels": None}}])
def test_a_config_without_labels(config: dict[str, Any]) -> None:
    made = json.loads(labelled(built(config), OWN, "x").config_data)
    assert made["config"]["Labels"] == {"a": "1", "werf": "fallback"}


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_an_index_keeps_its_platforms(media_type: str) -> None:
    children = (built({"architecture": "a"}), built({"architecture": "b"}))
    attestation = {
        "mediaType": OCI_MANIFEST,
        "digest": "sha256:" + "2" * 64,
        "size": 3,
        "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
    }
    made = labelled(index(*children, media_type=media_type, others=[attestation]), OWN, "x")
    value = json.loads(made.manifest)
    assert made.media_type == media_type
    assert made.config is None
    assert [child.digest for child in made.children] == [
        labelled(child, OWN, "x").digest for child in children
    ]
    assert value["manifests"] == [
        {
            "mediaType": OCI_MANIFEST,
            "digest": child.digest,
            "size": len(child.manifest),
            "platform": {"os": "linux", "architecture": f"cpu{number}"},
        }
        for number, child in enumerate(made.children)
    ]


@pytest.mark.parametrize(
    ("original", "says"),
    [
        (built({}, config_type="application/vnd.oci.empty.v1+json"), "vnd.oci.empty"),
        (built({}, media_type="application/vnd.docker.distribution.manifest.v1+json"), "v1"),
        (built([]), "another shape"),
        (built({"config": ["x"]}), "another shape"),
        (built({"config": {"Labels": ["x"]}}), "another shape"),
        (built({"author": "\ud800"}), "not Unicode"),
        (index(), "without images"),
        (index(index(built({}))), "index within an index"),
    ],
)
def test_what_is_no_image(original: Built, says: str) -> None:
    with pytest.raises(RegistryError, match=says) as found:
        labelled(original, OWN, "r.io/x@sha256:1")
    assert found.value.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(
    st.dictionaries(st.sampled_from(["config", "os", "Labels"]), JSON),
    st.dictionaries(st.text(), st.text()),
)
def test_any_config_is_labelled_or_refused(config: dict[str, Any], own: dict[str, str]) -> None:
    try:
        made = labelled(built(config), Labels(own=own), "x")
    except RegistryError:
        return
    assert made.config_data == canonical_json(json.loads(made.config_data))
    assert own.items() <= json.loads(made.config_data)["config"]["Labels"].items()
    again = labelled(built(dict(reversed(config.items()))), Labels(own=own), "x")
    assert again.digest == made.digest
