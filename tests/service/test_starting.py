"""Starting, being idle, and telling systemd about it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from rig import PATIENCE, WORDS, Traxd, heed_modes

from trax.jobs.job import Status


def start(config: Path, preexec: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a daemon that is expected to end by itself."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRAX_")}
    command = [sys.executable, "-m", "trax.service.main", "--config", str(config)]
    return subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        preexec_fn=preexec,
    )


def test_a_second_daemon_on_the_same_root_gives_way(traxd: Traxd) -> None:
    second = start(traxd.root / "trax.yaml")
    assert second.returncode == 75
    assert "Another traxd" in second.stderr
    assert traxd.answers()


def test_settings_with_mistakes_are_refused_with_their_lines(tmp_path: Path) -> None:
    config = tmp_path / "trax.yaml"
    config.write_text("max_workers: 2\nintake:\n  settle_second: 5\nmax_memory_gb: lots\n")
    refused = start(config)
    assert refused.returncode == 78
    assert "trax.yaml:3: " in refused.stderr
    assert "settle_seconds" in refused.stderr  # did you mean
    assert "trax.yaml:4: " in refused.stderr


def test_an_outbox_inside_the_inbox_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "trax.yaml"
    config.write_text(f"root: {tmp_path}\noutbox: inbox/done\n")
    refused = start(config)
    assert refused.returncode == 78
    assert "inside the inbox" in refused.stderr
    assert not (tmp_path / "inbox").exists()


def test_a_state_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o500)
    config = tmp_path / "trax.yaml"
    config.write_text(f"root: {tmp_path}\n")
    refused = start(config, heed_modes)
    assert refused.returncode == 1
    assert "Permission denied" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_idle_it_takes_next_to_nothing_and_lets_its_workers_go(tmp_path: Path, turn: Callable[..., Path]) -> None:
    with Traxd(tmp_path, {**WORDS, "workers": {"idle_seconds": 0.5}}) as traxd:
        traxd.put(turn(0), "talk.wav")
        assert traxd.wait_for("talk.wav").status is Status.COMPLETED
        traxd.wait_until(lambda: len(traxd.processes()) == 1, PATIENCE)
        assert traxd.ask("status")["daemon"]["workers"] == []
        daemon = psutil.Process(traxd.pid)
        before, began = daemon.cpu_times(), time.monotonic()
        time.sleep(4)
        after = daemon.cpu_times()
        used = after.user + after.system - before.user - before.system
        assert used / (time.monotonic() - began) < 0.05
        assert daemon.memory_info().rss < 100e6
        libraries = {Path(mapped.path).name for mapped in daemon.memory_maps()}
        assert not [name for name in libraries if name.startswith(("libav", "libonnx", "onnxruntime", "_pywhispercpp", "libopenblas"))]
        traxd.put(turn(0, variant=1), "later.wav")  # and gets new ones when there is work
        assert traxd.wait_for("later.wav").status is Status.COMPLETED


def test_systemd_is_told_when_it_is_ready_alive_and_stopping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        address = f"{folder}/notify"
        systemd.bind(address)
        systemd.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        monkeypatch.setenv("WATCHDOG_USEC", "600000")
        with Traxd(tmp_path, WORDS) as traxd:
            heard = [systemd.recv(4096).decode()]
            assert "READY=1" in heard[0].splitlines()
            assert traxd.socket.exists()  # ready means that it can be asked
            heard += [systemd.recv(4096).decode() for _ in range(4)]
            assert set(heard[1:]) == {"WATCHDOG=1"}
            assert traxd.stop() == 0
        systemd.settimeout(1)
        last = heard[-1]
        while last == "WATCHDOG=1":
            last = systemd.recv(4096).decode()
        assert last == "STOPPING=1"
