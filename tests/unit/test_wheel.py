"""What users install: the wheel has the templates, and works away from the source tree."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.harness import ROOT, make_project


def test_the_wheel_is_whole(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path)]
    done = subprocess.run([*build, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    place = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(place)
    assert "orchestrator/templates/werf.yaml.j2" in names
    assert not [name for name in names if name.startswith(("tests/", "fixtures/"))]
    project = make_project(tmp_path / "echo")
    environ = {"PYTHONPATH": str(place), "ORCHESTRATOR_BUILDER": "buildah"}
    done_ = project.run("render", "--source", "r.example.com/m", env=environ)
    assert done_.code == 0, done_.err
    assert project.run("init", "../new-module", env=environ).code == 0
    assert "name: new-module" in (tmp_path / "new-module/module.yaml").read_text()
    assert "image: backend" in (project.directory / ".orchestrator/werf.yaml").read_text()
