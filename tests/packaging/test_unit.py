"""The unit as it lies in the repository: how much it shuts the service in. The attack on privacy runs Trax under what it asks for."""

from __future__ import annotations

import shutil
import subprocess

import pytest


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_its_exposure_is_at_most_1_5_of_10(checkout) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", checkout / "systemd/traxd.service"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # the threshold is in tenths
    assert done.returncode == 0, done.stdout[-200:]
