"""`make install DESTDIR=…` lays out a service, without root, that systemd's own checkers accept."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from trax.config import Settings
from trax.settings_file import load_settings

SYSTEM_UNITS = Path("/usr/lib/systemd/system")


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.lstat().st_mode):04o}"


def verified(machine: Path) -> tuple[int, str]:
    """The exit code and all words of `systemd-analyze verify`: what it merely warns of counts too."""
    command = ["systemd-analyze", "verify", "--man=no", f"--root={machine}", "traxd.service"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def destdir(checkout, elsewhere, tmp_path_factory) -> Path:
    if not (checkout / ".venv/.installed").is_file() or not (checkout / "models/ge2e.onnx").is_file():
        pytest.skip("make install works on what make setup made")
    folder = tmp_path_factory.mktemp("destdir")
    variables = {"DESTDIR": folder, "DIST": tmp_path_factory.mktemp("dist"), "PYTHON": sys.executable}
    command = ["make", "--no-print-directory", "install", *(f"{name}={value}" for name, value in variables.items())]
    # what Trax depends on is left out here: test_wheel installs and runs the whole
    done = subprocess.run(
        command, cwd=checkout, env=elsewhere | {"PIP_NO_DEPS": "1"}, capture_output=True, text=True, check=False, umask=0o077
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_who_may_do_what_with_the_folders(destdir):
    assert mode(destdir / "srv/trax") == "0755"
    assert mode(destdir / "srv/trax/inbox") == "2770"
    assert mode(destdir / "srv/trax/outbox") == "2750"
    assert mode(destdir / "srv/trax/state") == "0750"


def test_what_is_installed_can_be_read_by_all(destdir):
    for path in (destdir / "opt/trax").rglob("*"):
        if not path.is_symlink():
            assert path.lstat().st_mode & 0o004, path
    for name in ("systemd/system/traxd.service", "sysusers.d/trax.conf", "tmpfiles.d/trax.conf"):
        assert mode(destdir / "usr/lib" / name) == "0644"
    assert mode(destdir / "etc/trax/trax.yaml") == "0644"


def test_nothing_names_the_folder_it_was_built_in(destdir):
    assert (destdir / "usr/local/bin/trax-ctl").readlink() == Path("/opt/trax/bin/trax-ctl")
    assert (destdir / "opt/trax/bin/traxd").read_text().startswith("#!/opt/trax/bin/python")
    for folder in ("opt/trax/bin", "etc", "usr"):
        for path in (destdir / folder).rglob("*"):
            if path.is_file() and not path.is_symlink():
                assert str(destdir).encode() not in path.read_bytes(), path


def test_the_settings_are_the_defaults_in_the_place_of_a_service(destdir):
    settings = load_settings(destdir / "etc/trax/trax.yaml", {})
    assert settings == Settings(root="/srv/trax", socket="/run/trax/traxd.sock")


def test_the_package_and_its_models_are_inside(destdir, elsewhere, tmp_path):
    asked = "from trax.shipped import shipped; print(shipped('models/ge2e.onnx').stat().st_size)"
    command = [destdir / "opt/trax/bin/python", "-c", asked]
    assert int(subprocess.run(command, env=elsewhere, cwd=tmp_path, capture_output=True, text=True, check=True).stdout) > 1_000_000


def test_settings_that_are_there_stay(checkout, elsewhere, tmp_path):
    folder = tmp_path / "again"
    (folder / "etc/trax").mkdir(parents=True)
    (folder / "etc/trax/trax.yaml").write_text("max_workers: 3\n")
    command = ["make", "--no-print-directory", "install-settings", f"DESTDIR={folder}"]
    subprocess.run(command, cwd=checkout, env=elsewhere, capture_output=True, check=True)
    assert (folder / "etc/trax/trax.yaml").read_text() == "max_workers: 3\n"
    assert load_settings(folder / "etc/trax/trax.yaml.new", {}).root == "/srv/trax"


class TestSystemd:
    """What systemd's own tools say of the layout, offline."""

    @pytest.fixture
    def machine(self, destdir, tmp_path) -> Path:
        """The layout as the root of a machine that has systemd's own units."""
        for tool in ("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles"):
            if shutil.which(tool) is None:
                pytest.skip(f"{tool} is not installed")
        folder = tmp_path / "machine"
        shutil.copytree(destdir, folder, symlinks=True, ignore=shutil.ignore_patterns("lib64", "site-packages"))
        shutil.copytree(SYSTEM_UNITS, folder / "usr/lib/systemd/system", symlinks=True, dirs_exist_ok=True)
        return folder

    def test_the_unit_is_right(self, machine):
        assert verified(machine) == (0, "")

    def test_the_unit_is_shut_in(self, machine):
        command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", f"--root={machine}", "traxd.service"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # the threshold is in tenths
        assert done.returncode == 0, done.stdout[-200:]

    def test_the_user_and_the_folders_can_be_made(self, machine):
        subprocess.run(["systemd-sysusers", f"--root={machine}"], check=True, capture_output=True)
        assert "trax:x:" in (machine / "etc/passwd").read_text()
        assert "trax:x:" in (machine / "etc/group").read_text()
        if os.geteuid() == 0:  # the tool gives folders away
            shutil.rmtree(machine / "srv")
            subprocess.run(["systemd-tmpfiles", "--create", f"--root={machine}"], check=True, capture_output=True)
            assert [mode(machine / "srv/trax" / name) for name in ("inbox", "outbox", "state")] == ["2770", "2750", "0750"]
            subprocess.run(["mkdir", machine / "srv/trax/inbox/alice"], check=True, umask=0o022)
            assert mode(machine / "srv/trax/inbox/alice") == "2770"  # what lies in it can be moved by the service

    def test_a_wrong_unit_would_be_noticed(self, machine):
        unit = machine / "usr/lib/systemd/system/traxd.service"
        unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdgSec="))
        assert "WatchdgSec" in verified(machine)[1]
