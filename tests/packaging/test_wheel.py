"""The wheel by itself: built, installed away from the checkout with the pinned dependencies, and put to work."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pysubs2
import pytest
import webvtt
from appliance import Appliance

#: What an installed Trax has no need of: megabytes, or a model hub.
HEAVY = {"torch", "torchaudio", "librosa", "scipy", "scikit-learn", "scikit_learn", "onnx", "pandas", "transformers", "numba"}
LARGEST_MB = 450


@pytest.fixture(scope="module")
def wheel(checkout, elsewhere, tmp_path_factory) -> Path:
    if not (checkout / "models/ge2e.onnx").is_file():
        pytest.skip("models/ge2e.onnx is not there: run make setup")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, checkout]
    subprocess.run(command, check=True, env=elsewhere, cwd=folder)
    (built,) = folder.glob("trax-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, checkout, elsewhere, index, tmp_path_factory) -> Path:
    """The folder of a fresh virtual environment with the wheel in it."""
    folder = tmp_path_factory.mktemp("away") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, env=elsewhere)
    command = [
        folder / "bin/python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--only-binary=:all:",
        "--constraint",
        checkout / "constraints.txt",
    ]
    subprocess.run([*command, wheel], check=True, env=elsewhere, cwd=folder)
    return folder


def test_carries_what_ships_with_it(wheel, checkout):
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("models/ge2e.onnx", "models/catalogue.yaml", "config/trax.yaml", "systemd/traxd.service"):
        assert f"trax/_shipped/{name}" in names
    models = {f"trax/_shipped/models/{path.name}" for path in (checkout / "models").iterdir()}
    assert models <= names
    assert not [name for name in names if name.startswith(("tests/", "demo/", "inbox/"))]


def test_does_the_main_job_away_from_the_checkout(installed, checkout, elsewhere, tmp_path):
    where = [installed / "bin/python", "-c", "import trax; print(trax.__file__)"]
    assert str(installed) in subprocess.run(where, check=True, env=elsewhere, cwd=tmp_path, capture_output=True, text=True).stdout

    with Appliance(tmp_path, {"intake": {"settle_seconds": 0.5}}, command=[installed / "bin/traxd"]) as daemon:
        daemon.drop(checkout / "tests/speech/conversation.ogg")
        daemon.wait_until(lambda: daemon.transcripts() or daemon.errors(), 200)
        assert not daemon.errors()
        used = {Path(process.cmdline()[0]) for process in daemon.processes()}
        asked = [installed / "bin/trax-ctl", "--config", tmp_path / "trax.yaml", "--json", "status"]
        status = json.loads(subprocess.run(asked, check=True, env=elsewhere, cwd=tmp_path, capture_output=True, text=True).stdout)
    assert all(installed in program.parents for program in used)
    assert [job["name"] for job in status["recent"]] == ["conversation.ogg"]

    transcript = json.loads((tmp_path / "outbox/conversation.json").read_text())
    words = [word for segment in transcript["segments"] for word in segment["words"]]
    assert len(words) > 10
    assert len({segment["speaker"] for segment in transcript["segments"]}) == 2
    assert len(pysubs2.load(str(tmp_path / "outbox/conversation.srt"))) == len(transcript["segments"])
    assert len(webvtt.read(str(tmp_path / "outbox/conversation.vtt"))) == len(transcript["segments"])


def test_the_settings_that_come_with_it_are_right(installed, elsewhere, tmp_path):
    command = [installed / "bin/trax-ctl", "config", "check"]
    done = subprocess.run(command, env=elsewhere, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_brings_nothing_heavy(installed, elsewhere, record_testsuite_property):
    command = [installed / "bin/python", "-m", "pip", "list", "--format=json"]
    listed = json.loads(subprocess.run(command, check=True, env=elsewhere, capture_output=True, text=True).stdout)
    assert not HEAVY & {package["name"].lower() for package in listed}

    size = sum(path.lstat().st_size for path in (installed / "lib").rglob("*") if path.is_file() and not path.is_symlink()) / 1e6
    record_testsuite_property("installed_mb", round(size))
    print(f"the installed environment: {size:.0f} MB, {len(listed)} packages")
    assert size < LARGEST_MB
