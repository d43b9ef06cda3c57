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


PROCESS = (
    "Error: unable to process images: unable to process images in parallel: "
    'unable to process image "images/app" with parallel task 2: '
)
BUILD = (
    f"{PROCESS}phase build on image images/app stage dockerfile handler failed: "
    "failed to build image for stage dockerfile with digest 18f48e: "
    "error building stage dockerfile: error building dockerfile with buildah-backend: "
    'unable to build Dockerfile "/tmp/1.Dockerfile":\n'
)
PUSH = (
    f"{PROCESS}phase build on image images/app stage dockerfile handler failed: unable to store "
    "stage images/app/dockerfile digest 18f48e image r.io/m:t into repo r.io/m: "
    "unable to push image r.io/m:t: "
)
PULL = (
    f"{PROCESS}phase build on image images/app stage from handler failed: unable to fetch base "
    'image "r.io/b:1" for stage images/app/from: unable to pull image r.io/b:1: '
)
STEP = '\nbuilding at STEP "RUN make": exit status 2'
BASE = f"{BUILD}creating build container: initializing source docker://r.io/b:1: "
MANIFEST = f"{BASE}reading manifest 1 in r.io/b: "
BLOB = "storing blob to file: write /var/tmp/storage1/1: no space left on device"
COPY = 'building at STEP "COPY no /": checking on sources under "/c": copier: stat: "/no": no such file'
GET = f'{PULL}Get "https://r.io/v2/": '
PUT = f"{PUSH}PUT https://r.io/v2/m/manifests/t: "
LOAD = "Error: unable to load werf config: unable to render werf config: "


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        # What a command printed is no sign.
        (f"{BUILD}curl: (7) connection refused{STEP}", BuildFailed, "a build instruction failed"),
        (f"{BUILD}denied: you shall not\nDENIED{STEP}", BuildFailed, "instruction failed"),
        (f"{BUILD}gzip: unexpected EOF{STEP}", BuildFailed, "instruction failed"),
        (f"{BUILD}retries exhausted{STEP}", BuildFailed, "instruction failed"),
        (f"{BUILD}panic: oh no\n\ngoroutine 1 [running]:{STEP}", BuildFailed, "instruction failed"),
        (f"{BUILD}Error: unknown flag: --x{STEP}", BuildFailed, "image images/app at stage docker"),
        (f"{BUILD}x must be committed{STEP}", BuildFailed, "instruction failed"),
        ("unexpected EOF\nError: unable to process images: what is new", BuildFailed, "exit code 1"),
        ("connection refused, said a build", BuildFailed, "exit code 1"),
        # What fails around the command is.
        (f"{BUILD}tar: No space left on device{STEP}", BuildFailed, "the disk of the builder is full"),
        (f"{BUILD}committing container: copying layers: {BLOB}", BuildFailed, "builder is full"),
        (f"{MANIFEST}manifest unknown", BuildFailed, "a base image cannot be pulled"),
        (f"{MANIFEST}unauthorized: authentication required", BuildFailed, "the credentials"),
        (
            f"{MANIFEST}received unexpected HTTP status: 503 Service Unavailable",
            TransientBuildError,
            "cannot be reached",
        ),
        (f"{MANIFEST}toomanyrequests: You have reached", TransientBuildError, "answer well"),
        (f"{BUILD}{COPY}", BuildFailed, "instruction failed"),
        (f"{BUILD}mounting new container: mount overlay: invalid argument", BuildFailed, "stage could"),
        # Pulls and pushes: some pass, some do not.
        (f"{GET}dial tcp: i/o timeout", TransientBuildError, "reached"),
        (f"{PULL}reading manifest 1 in r.io/b: manifest unknown", BuildFailed, "cannot be pulled"),
        (f"{GET}x509: certificate signed by unknown authority", BuildFailed, "trusted"),
        (f"{PUT}UNAUTHORIZED: no", BuildFailed, "credentials"),
        (f"{PUT}DENIED: quota", BuildFailed, "credentials"),
        (f"{PUT}TOOMANYREQUESTS: wait", TransientBuildError, "answer"),
        (f"{PUT}unexpected status code 502 Bad Gateway", TransientBuildError, "answer"),
        (f'{PUSH}Patch "https://r.io/v2/": EOF', TransientBuildError, "answer well"),
        (f"{PUT}MANIFEST_INVALID: no", BuildFailed, "did not take them"),
        (f"{PUT}unexpected status code 413 Too Large", BuildFailed, "did not take"),
        # Go's own words for other things.
        (f"{LOAD}template: werfConfig:3: unexpected EOF", ConfigError, "a template"),
        ('Error: invalid argument "x" for "-p" flag: no', ConfigError, "one of its arguments"),
        ("Error: open /x/y: permission denied: really", BuildFailed, "exit code 1"),
        ("panic: oh\n\ngoroutine 1 [running]:\nmain.main()", BuildFailed, "bug of werf"),
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
)  # fmt: skip
def test_other_texts(text: str, kind: type[OrchestratorError], says: str) -> None:
    error = classify(text, [], log_path=Path("log"), exit_code=1)
    assert type(error) is kind
    assert says in error.message


def test_a_failed_platform_of_an_image_is_that_image() -> None:
    log = [
        "┌ (1/2) image images/app [linux/amd64]",
        "│ built",
        "└ (1/2) image images/app [linux/amd64] (0.11 seconds)",
        "┌ (2/2) image images/app [linux/arm64]",
        "│ make: *** Error 2",
        "└ (2/2) image images/app [linux/arm64] (0.99 seconds) FAILED",
    ]
    error = classify(BUILD + STEP, log, log_path=Path("log"), exit_code=1)
    assert error.message == "image images/app at stage dockerfile: a build instruction failed"
    assert "make: *** Error 2" in (error.details or "")
    assert "| built" not in (error.details or "")


def test_the_last_words_are_never_cut_off() -> None:
    error = classify(BUILD + "noise\n" * 1000 + STEP, [], log_path=Path("log"), exit_code=1)
    lines = (error.details or "").splitlines()
    assert lines[0].startswith("Error: unable to process images")
    assert lines[-1] == 'building at STEP "RUN make": exit status 2'
    assert len(lines) == 16
