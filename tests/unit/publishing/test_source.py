"""The images of a build report: final ones, or those named; unusable files are told."""

import json
from pathlib import Path

import pytest

from orchestrator.errors import BuildFailed, ConfigError
from orchestrator.publishing.source import read_report

RECORDED = Path(__file__).parents[2] / "data" / "werf" / "success.report.json"


def test_final_images_unless_named() -> None:
    found = read_report(RECORDED, ())
    assert sorted(found) == ["images/backend", "images/frontend", "images/tools"]
    assert str(found["images/backend"]) == (
        "127.0.0.1:5000/modules/echo:"
        "319d1a67d19546aa6150799a1484b2d77eeddd9106275af8bfc4575b-1795225159892"
        "@sha256:57a14a23e43ff54d2946bdf92d54ee7701ab8349c10a0c063f5eb50b5c9a5de1"
    )
    assert list(read_report(RECORDED, ("builder",))) == ["builder"]
    with pytest.raises(ConfigError, match="not there"):
        read_report(RECORDED, ("bilder",))


def test_no_report(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigError, match="cannot read the build report") as found:
            read_report(path, ())
        assert "--save-build-report" in (found.value.hint or "")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"Images": {"a": {}}}', b"\xff"])
def test_useless_reports(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(data)
    with pytest.raises(BuildFailed, match="cannot be used"):
        read_report(path, ())


def test_a_report_without_images(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"Images": {}}))
    assert read_report(path, ()) == {}
