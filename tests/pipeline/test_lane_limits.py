"""What a worker may take of the machine, and that it does not outlive its supervisor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from lane_processes import ignore, minutes_of_silence, run

from trax.errors import WorkerOutOfMemory
from trax.pipeline.stages import CLUSTER, PLAN, VAD


def test_a_worker_that_grew_over_its_share_of_the_memory_is_replaced(lanes, task):
    async def main() -> None:
        async with lanes(max_workers=1, share_gb=0.001) as local:
            for _ in range(2):
                assert await local.run(task(PLAN), ignore)
                assert local.workers() == []

    run(main)


def test_a_worker_that_needs_too_much_memory_says_so_and_is_replaced(tmp_path, lanes, task):
    with zipfile.ZipFile(tmp_path / "embeddings.npz", "w") as archive, archive.open("windows.npy", "w") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 30, 2)}  # numpy makes room for all of it before it reads
        np.lib.format.write_array_header_1_0(file, header)

    async def main() -> None:
        async with lanes(max_workers=1, share_gb=1.0) as local:
            plan = await local.run(task(PLAN), ignore)
            with pytest.raises(WorkerOutOfMemory, match="The worker needed more than the 1024 MB"):
                await local.run(task(CLUSTER, models={"embedding": plan["embedding"]}), ignore)
            assert local.workers() == []

    run(main)


def test_what_a_worker_takes_of_the_machine_it_gives_up_first(lanes, task):
    ours = int(Path("/proc/self/oom_score_adj").read_text())

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            await local.run(task(PLAN), ignore)
            (worker,) = local.workers()
            process = Path(f"/proc/{worker.pid}")
            assert int((process / "oom_score_adj").read_text()) > ours
            soft, hard = psutil.Process(worker.pid).rlimit(psutil.RLIMIT_DATA)
            assert 7 << 30 < soft == hard < 9 << 30

    run(main)


SUPERVISOR = """
import asyncio, json, sys
from trax.pipeline.decoding import DecodeLimits
from trax.pipeline.division import divide
from trax.pipeline.lanes import StageTask
from trax.pipeline.local_lanes import LocalLanes
from trax.pipeline.stages import Lane

folder, models = sys.argv[1], json.loads(sys.argv[2])
task = StageTask("vad", Lane.DIARIZE, "job", folder, "", "", {"pcm": "pcm.raw"}, "vad.json", {}, models, folder)
division = divide(cores=1, max_workers=1, is_parallel=True, memory_gb=8.0)
lanes = LocalLanes(division, hang_seconds=60, idle_seconds=60, limits=DecodeLimits())
asyncio.run(lanes.run(task, lambda _: print(lanes.workers()[0].pid, flush=True)))
"""


@pytest.mark.parametrize("with_stdin_held", [False, True], ids=["its input ends", "its input is held open"])
def test_a_worker_dies_with_its_supervisor_however_that_dies(tmp_path, task, with_stdin_held):
    minutes_of_silence(tmp_path)
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path), json.dumps(task(VAD).models)]
    supervisor = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert supervisor.stdout is not None
    worker = psutil.Process(int(supervisor.stdout.readline()))
    held = os.open(f"/proc/{worker.pid}/fd/0", os.O_WRONLY) if with_stdin_held else None
    supervisor.kill()
    supervisor.communicate()
    worker.wait(30)
    if held is not None:
        os.close(held)
    assert not (tmp_path / "vad.json").exists()
