"""Removing a model under a running daemon: not while a job needs it; afterwards the next job takes what is left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
from clips import join
from rig import WORDS, Traxd

from trax.jobs.job import Status
from trax.models.adding import add


def remove(traxd: Traxd, name: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TRAX_CONFIG": str(traxd.root / "trax.yaml")}
    command = [sys.executable, "-m", "trax.cli.main", "models", "remove", name]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_model_is_removed_when_the_jobs_that_began_with_it_are_done(
    whisper_model: Path, sample: Callable[[str], Path], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    add(whisper_model, root / "state" / "models", name="own", window_seconds=6)
    clips = [sample(f"fsdd/{digit}_george_{10 + digit}.wav") for digit in range(10)]
    join(clips, tmp_path / "digits.wav")
    join(clips[:3], tmp_path / "more.wav")

    with Traxd(root, WORDS) as traxd:
        traxd.put(tmp_path / "digits.wav", "digits.wav")
        job = traxd.wait_for_stage("digits.wav", "transcribe")
        refused = remove(traxd, "own")
        assert refused.returncode == 1
        assert f"1 unfinished job needs own: {job.id}" in refused.stderr

        for worker in traxd.ask("status")["daemon"]["workers"]:
            psutil.Process(worker["pid"]).resume()
        assert traxd.wait_for("digits.wav").status is Status.COMPLETED, traxd.log_tail()
        assert traxd.transcript("digits")["models"]["asr"]["name"] == "own"
        removed = remove(traxd, "own")
        assert (removed.returncode, removed.stdout) == (0, "own\n"), removed.stderr

        traxd.put(tmp_path / "more.wav", "more.wav")
        assert traxd.wait_for("more.wav").status is Status.COMPLETED, traxd.log_tail()
        assert traxd.transcript("more")["models"]["asr"]["name"] == "pocketsphinx-en-us"
