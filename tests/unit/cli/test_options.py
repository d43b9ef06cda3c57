"""The names that options offer are those that there are."""

from orchestrator.cli import options
from orchestrator.settings import OPTIONS
from orchestrator.stages import PIPELINE


def test_stages() -> None:
    assert tuple(stage.name for stage in PIPELINE) == options.STAGES
    assert options.forced_stages(("all",)) == set(options.STAGES)
    assert options.forced_stages(("build",)) == {"build"}


def test_settings_of_registries() -> None:
    assert set(options._OF_REGISTRIES) <= {option.name for option in OPTIONS}
