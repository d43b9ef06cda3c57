"""Guards of all tests: the environment stays as it was; hypothesis runs short, or long on request."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "short", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("long", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


# A test that records this property has a line in the summary.
SUMMARY = "in the summary"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Properties come from the workers of xdist too, where printing does not."""
    lines = sorted(
        str(value)
        for report in terminalreporter.stats.get("passed", [])
        for name, value in report.user_properties
        if name == SUMMARY
    )
    if lines:
        terminalreporter.section("spoiled requests")
        terminalreporter.write_line("\n".join(lines))


def pytest_configure(config: pytest.Config) -> None:
    """A storage of our own for buildah: killed builds leave containers in it, and names run out."""
    if shutil.which("buildah") is None:
        return
    told = subprocess.run(
        ["buildah", "info", "--format", "{{.store.GraphDriverName}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    root = Path(tempfile.mkdtemp(prefix="buildah-"))
    config.add_cleanup(lambda: shutil.rmtree(root, ignore_errors=True))
    (root / "storage.conf").write_text(
        f'[storage]\ndriver = "{told.stdout.strip() or "vfs"}"\n'
        f'graphroot = "{root}/graph"\nrunroot = "{root}/run"\n'
    )
    os.environ["CONTAINERS_STORAGE_CONF"] = str(root / "storage.conf")


@pytest.fixture(autouse=True)
def _environment_is_left_alone() -> Iterator[None]:
    before = dict(os.environ)
    yield
    after = {name: text for name, text in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    before.pop("PYTEST_CURRENT_TEST", None)
    assert after == before


@pytest.fixture(scope="session")
def gorender(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Renders a werf config as werf does, with the template libraries that werf has."""
    if shutil.which("go") is None:
        pytest.skip("Go is needed to build the renderer of templates")
    program = tmp_path_factory.mktemp("gorender") / "gorender"
    source = Path(__file__).parent / "standins" / "gorender"
    subprocess.run(["go", "build", "-o", str(program), "."], cwd=source, check=True)
    return program
