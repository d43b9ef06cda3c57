"""Each recorded failure of the real werf gives the right error, cause and exit code."""

from pathlib import Path

import pytest

from orchestrator.builders.failures import classify
from orchestrator.errors import (
    BuildFailed,
    ConfigError,
    OrchestratorError,
    ToolMissing,
    TransientBuildError,
)

RECORDINGS = Path(__file__).parents[2] / "data" / "werf"


def recorded(name: str) -> OrchestratorError:
    return classify(
        (RECORDINGS / f"{name}.stderr").read_text(),
        (RECORDINGS / f"{name}.stdout").read_text().splitlines(),
        log_path=Path("build.log"),
        exit_code=int((RECORDINGS / f"{name}.exit").read_text()),
    )


@pytest.mark.parametrize(
    ("name", "kind", "code", "says"),
    [
        ("unknown-image", ConfigError, 78, "an image was asked for that is not in the config"),
        ("dirty", ConfigError, 78, "files that the build reads are not committed"),
        ("run-fails", BuildFailed, 1, "image images/backend at stage dockerfile: a build"),
        ("registry-down", TransientBuildError, 75, "the registry cannot be reached"),
        ("unauthorized", BuildFailed, 1, "the registry refused the credentials"),
        ("base-missing", BuildFailed, 1, "image builder: a base image cannot be pulled"),
        ("unknown-field", ConfigError, 78, "werf does not accept the config"),
        ("no-giterminism", ConfigError, 78, "werf may not read it uncommitted"),
        ("no-git", ConfigError, 78, "not in a git work tree"),
        ("no-commit", ConfigError, 78, "no commit yet"),
        ("no-backend", ToolMissing, 69, "no working build backend"),
    ],
)
def test_recorded(name: str, kind: type[OrchestratorError], code: int, says: str) -> None:
    error = recorded(name)
    assert type(error) is kind
    assert error.exit_code == code
    assert says in error.message
    assert error.hint
    assert "build.log" in error.hint


def test_every_recorded_failure_is_covered() -> None:
    failed = {path.stem for path in RECORDINGS.glob("*.exit") if path.read_text().strip() == "1"}
    (mark,) = (m for m in test_recorded.pytestmark if m.name == "parametrize")  # type: ignore[attr-defined]
    assert failed == {row[0] for row in mark.args[1]}


def test_the_failing_image_is_told_with_its_last_lines() -> None:
    error = recorded("run-fails")
    assert isinstance(error, BuildFailed)
    assert error.image == "images/backend"
    assert error.details
    assert "| STEP 3/5: RUN exit 7" in error.details
    assert "subprocess exited with status 7" in error.details
    assert "images/frontend" not in error.details


def test_several_failed_images_are_all_named() -> None:
    error = recorded("unauthorized")
    assert "images/backend" in error.message
    assert "builder" in error.message
    assert "images/frontend" in error.message


def test_dirty_files_are_listed() -> None:
    error = recorded("dirty")
    assert isinstance(error, ConfigError)
    assert [finding.origin for finding in error.findings] == ["images/backend/src/main.sh"]


def test_background_warnings_do_not_hide_the_error() -> None:
    assert "host cleanup" not in (recorded("unauthorized").details or "")


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("Error: panic: oh no", BuildFailed, "bug of werf"),
        ("Error: unable to write report to x: denied", BuildFailed, "could not write its report"),
        (
            "Error: exhausted 3 retries on unexpected stages storage state",
            TransientBuildError,
            "va",
        ),
        ("Error: unable to init http synchronization: x", TransientBuildError, "synchronization"),
        ("Error: unknown flag: --bogus", ConfigError, "does not take one of its arguments"),
        ("Error: something nobody has seen", BuildFailed, "exit code 1"),
        ("", BuildFailed, "exit code 1"),
        (
            "Error: received unexpected HTTP status: 503 Service Unavailable",
            TransientBuildError,
            "",
        ),
    ],
)
def test_other_texts(text: str, kind: type[OrchestratorError], says: str) -> None:
    error = classify(text, [], log_path=Path("log"), exit_code=1)
    assert type(error) is kind
    assert says in error.message
