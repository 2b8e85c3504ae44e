"""Being asked to stop at the edges of the daemon's life, where it is easily killed instead."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rig import PATIENCE, WORDS, Traxd

#: traxd, with a signal to itself in the moment in which it begins to load the module MODULE.
WHEN_LOADING = """
import os, sys

class Asked:
    def find_spec(name, *_):
        if name == "MODULE":
            os.kill(os.getpid(), SIGNAL)

sys.meta_path.insert(0, Asked)
from trax.service.main import main
sys.exit(main())
"""
#: traxd, with a signal to itself when its loop has just been closed, and another when Python itself goes.
AT_THE_END = """
import asyncio, atexit, os, sys

class Runner(asyncio.Runner):
    def close(self):
        super().close()
        os.kill(os.getpid(), SIGNAL)

asyncio.runners.Runner = Runner
atexit.register(lambda: os.kill(os.getpid(), SIGNAL))
from trax.service.main import main
sys.exit(main())
"""
SIGNALS = [signal.SIGTERM, signal.SIGINT]


def program(code: str, number: signal.Signals, module: str = "") -> list[str]:
    return [sys.executable, "-c", code.replace("SIGNAL", str(int(number))).replace("MODULE", module)]


def run(command: list[str], config: Path) -> int:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRAX_")} | {"TRAX_CONFIG": str(config)}
    return subprocess.run(command, env=environment, check=False, timeout=PATIENCE).returncode


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("module", ["trax.service.starting", "asyncio", "loguru", "pydantic", "trax.service.daemon", "trax.pipeline.lanes"])
def test_asked_to_stop_while_it_is_loaded_it_ends_well(tmp_path: Path, module: str, number: signal.Signals) -> None:
    config = tmp_path / "trax.yaml"
    config.write_text(f"root: {tmp_path}\n")
    assert run(program(WHEN_LOADING, number, module), config) == 0
    assert not (tmp_path / "inbox").exists()


@pytest.mark.parametrize("number", SIGNALS)
def test_asked_again_when_it_has_stopped_already_it_still_ends_well(tmp_path: Path, number: signal.Signals) -> None:
    with Traxd(tmp_path, WORDS, command=program(AT_THE_END, number)) as traxd:
        os.kill(traxd.pid, number)
        assert traxd.wait(PATIENCE) == 0


def test_asked_again_and_again_until_it_is_gone_it_ends_well(tmp_path: Path) -> None:
    with Traxd(tmp_path, WORDS) as traxd:
        status = None
        while status is None:
            os.kill(traxd.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = traxd.wait(0.001)
        assert status == 0


def test_asked_to_stop_when_it_ends_by_itself_it_says_why_it_did(tmp_path: Path) -> None:
    config = tmp_path / "trax.yaml"
    config.write_text("max_memory_gb: lots\n")
    assert run(program(AT_THE_END, signal.SIGTERM), config) == 78
