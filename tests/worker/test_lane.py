from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from trax.config import Settings, snapshot

MINUTE = 60 * 2 * 16_000


def minutes_of_silence(folder: Path, minutes: int) -> None:
    with (folder / "pcm.raw").open("wb") as handle:
        handle.truncate(minutes * MINUTE)


def test_it_plans_with_what_is_built_in(lane, task):
    lane.say(task(1, "plan"))
    message, _ = lane.answer()
    assert (message["id"], message["event"]) == (1, "done")
    found = message["result"]
    assert {role: model["kind"] for role, model in found.items() if model} == {role: role for role in ("asr", "vad", "embedding")}
    assert found["refine"] is None, "PocketSphinx has no partner"


def test_without_diarization_the_plan_has_no_embedding(lane, task):
    settings = snapshot(Settings()) | {"stages": {"transcribe": True, "refine": False, "diarize": False, "enhance": False}}
    lane.say(task(1, "plan", settings=settings))
    assert lane.answer()[0]["result"]["embedding"] is None


def test_it_finds_where_a_sound_is_loud_and_tells_how_far_it_is(lane, task, tmp_path):
    noise = np.random.default_rng(1).normal(0, 3000, 16_000 * 40).clip(-32_768, 32_767).astype("<i2")
    (tmp_path / "pcm.raw").write_bytes(noise.tobytes())
    lane.say(task(3, "vad", "vad.json"))
    message, fractions = lane.answer()
    assert (message["id"], message["event"]) == (3, "done")
    found = json.loads((tmp_path / "vad.json").read_bytes())
    assert found["duration"] == 40.0
    assert message["result"]["speech_seconds"] == pytest.approx(sum(end - start for start, end in found["speech"]), abs=0.01)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) <= 2, "one for each 32 s, and not more often than is useful"


def test_what_fails_is_told_and_the_next_task_is_done(lane, task, tmp_path):
    lane.say(task(1, "vad", "vad.json"))
    told = lane.answer()[0]
    assert (told["event"], told["error"]["code"]) == ("error", "storage")
    assert told["error"]["file"] == str(tmp_path / "pcm.raw")
    for number, wrong in enumerate(({"kind": "dance"}, {"settings": {"asr": 3}}, {"models": {"asr": {"kind": "x"}}}, {"inputs": {}}), 2):
        lane.say(task(number, "vad", "vad.json") | wrong)
        told = lane.answer()[0]
        assert (told["id"], told["event"], told["error"]["code"], told["error"]["permanent"]) == (number, "error", "worker", False)
    lane.say(task(9, "plan"))
    assert lane.answer()[0]["event"] == "done"


def test_a_fault_is_logged_with_its_job(lane, task):
    lane.say(task(1, "dance"))
    lane.answer()
    lane.process.stdin.close()
    said = lane.process.stderr.read().decode()
    lane.process.stdin = None
    assert "[20261122-190512-7f3a9c] task dance failed" in said
    assert len(said.splitlines()) == 1


def test_a_cancelled_task_is_given_up_and_the_next_is_done(lane, task, tmp_path):
    minutes_of_silence(tmp_path, 8)
    lane.say(task(1, "vad", "vad.json"))
    assert lane.hear()["event"] == "progress"
    lane.say({"cancel": 1})
    message, fractions = lane.answer()
    assert (message["event"], message["error"]["code"]) == ("error", "cancelled")
    assert 1.0 not in fractions
    assert not (tmp_path / "vad.json").exists()
    lane.say({"cancel": 1})  # too late, and harmless
    lane.say(task(2, "plan"))
    assert lane.answer()[0]["event"] == "done"


@pytest.mark.parametrize("rest", [b"", b'{"id": 2, "ki'], ids=["cleanly", "in the middle of a line"])
def test_it_goes_at_once_when_its_input_ends_even_in_the_middle_of_a_task(lane, task, tmp_path, rest):
    minutes_of_silence(tmp_path, 8)
    lane.say(task(1, "vad", "vad.json"))
    assert lane.hear()["event"] == "progress"
    lane.write(rest)
    lane.process.stdin.close()
    began = time.monotonic()
    assert lane.process.wait(5) == 0
    assert time.monotonic() - began < 2
    lane.process.stdin = None
    assert [path.name for path in tmp_path.iterdir()] == ["pcm.raw"]


def test_ctrl_c_is_not_for_it(lane, task):
    os.kill(lane.process.pid, signal.SIGINT)
    lane.say(task(1, "plan"))
    assert lane.answer()[0]["event"] == "done"


def test_what_native_libraries_print_does_not_mix_with_the_messages():
    code = """
import os, sys
from trax.worker.protocol import take_stdout
channel = take_stdout()
os.write(1, b"native noise\\n")
print("python noise", flush=True)
channel.send(event="ready")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b'{"event":"ready"}\n'
    assert done.stderr == b"native noise\npython noise\n"


def test_a_channel_to_nobody_ends_the_process():
    code = """
from trax.worker.protocol import take_stdout
channel = take_stdout()
while True: channel.send(event="progress", fraction=0.5)
"""
    speaking = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert speaking.stdout is not None
    speaking.stdout.readline()
    speaking.stdout.close()
    assert speaking.wait(5) == 0
