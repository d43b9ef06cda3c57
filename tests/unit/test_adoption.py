"""Which config is run: the module's own, or one that is rendered."""

from typing import Any

import pytest

from orchestrator.adoption import own_config
from orchestrator.errors import ConfigError
from orchestrator.settings import resolve


@pytest.mark.parametrize(
    ("flags", "paths", "chosen"),
    [
        ({}, [], None),
        ({}, ["werf.yml"], "werf.yml"),
        ({}, ["werf.yml", "werf.yaml"], "werf.yaml"),
        ({}, ["images/a/werf.yaml"], None),
        ({"mode": "adopt"}, ["werf.yaml"], "werf.yaml"),
        ({"mode": "generate"}, ["werf.yaml"], None),
        ({"mode": "generate", "builder": "buildah"}, ["werf.yaml"], None),
        ({"werf_config": "./ci//werf.yaml"}, ["werf.yaml", "ci/werf.yaml"], "ci/werf.yaml"),
    ],
)
def test_choice(flags: dict[str, Any], paths: list[str], chosen: str | None) -> None:
    assert own_config(resolve(flags, {}, None), paths) == chosen


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"mode": "adopt"}, "has no werf.yaml"),
        ({"werf_config": "x.yaml"}, "not in the module's git tree"),
        ({"werf_config": "own.yaml", "mode": "generate"}, "mode is generate"),
        ({"werf_config": "own.yaml", "builder": "buildah"}, "buildah (--builder) cannot"),
    ],
)
def test_contradictions(flags: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        own_config(resolve(flags, {}, None), ["own.yaml"])
    assert says in caught.value.message
    assert caught.value.hint


def test_werf_config_of_the_environment_counts() -> None:
    settings = resolve({}, {"WERF_CONFIG": "own.yaml"}, None)
    assert own_config(settings, ["werf.yaml", "own.yaml"]) == "own.yaml"
