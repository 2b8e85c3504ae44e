"""No library that Trax loads reports to its maker, and what could speak to the network is loaded for a pull alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys


def test_no_library_leaves_a_device_id_behind(tmp_path):
    """ONNX Runtime makes one, and a queue of reports beside it, where its telemetry is on (but not where it takes the machine for a CI)."""
    home = tmp_path / "home"
    home.mkdir()
    asked = [sys.executable, "-P", "-m", "trax.worker.tools", "doctor", "--state", str(tmp_path / "state"), "--json"]
    plain = {"HOME": str(home), "PATH": os.environ["PATH"]}
    done = subprocess.run(asked, env=plain, capture_output=True, check=True, text=True)
    assert "ge2e" in {model["name"] for model in json.loads(done.stdout)["models"] if not model["problem"]}
    assert not list(home.rglob("*"))
    assert "telemetry" not in done.stderr


def test_only_a_pull_loads_what_could_speak_to_the_network():
    loaded = "import sys, trax.worker.lane, trax.worker.tools, trax.worker.facts"
    asked = f"{loaded}; print({{'httpx', 'httpcore', 'requests'}} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-P", "-c", asked], check=True, capture_output=True, text=True).stdout == "set()\n"
