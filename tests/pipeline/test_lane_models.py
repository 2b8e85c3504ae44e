"""What the lanes have their workers keep and load ahead: real processes, and what they report."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lane_processes import until

from trax.models.model import Model
from trax.pipeline.lane_worker import LaneWorker
from trax.pipeline.lanes import CacheView, LoadedModel, StageTask
from trax.pipeline.local_lanes import LocalLanes, _Pool
from trax.pipeline.stages import STAGES, VAD, Lane, models_to_load

REPORT: dict[str, Any] = {"budget": 9, "loads": 2, "loads_ahead": 1, "evictions": 0, "models": [{"name": "a", "memory": 3}]}


def whisper(path: Path) -> dict[str, Any]:
    return Model("w", "asr", "whisper", str(path), None, "1", "digits", ("en",), "none", "ours", 1 << 20).to_plain()


async def heard_silence(local: LocalLanes, task: Callable[..., StageTask], folder: Path) -> CacheView:
    """What the worker reports once it has heard a second of silence."""
    (folder / "pcm.raw").write_bytes(bytes(2 * 16_000))
    await local.run(task(VAD), lambda _fraction: None)
    (worker,) = local.workers()
    assert worker.cache is not None
    return worker.cache


def test_what_a_job_will_want_is_loaded_while_its_worker_does_other_things(tmp_path, lanes, task, whisper_model):
    async def main() -> None:
        async with lanes(max_workers=1) as local, asyncio.timeout(300):
            cache = await heard_silence(local, task, tmp_path)
            assert [model.name for model in cache.models] == ["silero-vad"]
            local.expect("job", {Lane.TRANSCRIBE: [whisper(whisper_model)]})
            while "w" not in {model.name for model in cache.models}:
                cache = await heard_silence(local, task, tmp_path)
            assert cache.loads == 2
            assert 0 < cache.models[0].memory < cache.budget

    asyncio.run(main())


def test_what_an_idle_worker_loads_ahead_is_seen_at_once(tmp_path, lanes, task, whisper_model):
    async def main() -> None:
        async with lanes(max_workers=1) as local, asyncio.timeout(300):
            await heard_silence(local, task, tmp_path)
            local.expect("job", {Lane.TRANSCRIBE: [whisper(whisper_model)]})
            await until(lambda: "w" in {model.name for worker in local.workers() if worker.cache for model in worker.cache.models}, 300.0)
            assert (await heard_silence(local, task, tmp_path)).loads == 2

    asyncio.run(main())


def test_a_worker_killed_while_it_loads_ahead_costs_nothing(tmp_path, lanes, task):
    os.mkfifo(tmp_path / "pipe")  # whoever opens it waits for ever

    async def main() -> None:
        async with lanes(max_workers=1) as local, asyncio.timeout(300):
            local.expect("job", {Lane.TRANSCRIBE: [whisper(tmp_path / "pipe")]})
            await heard_silence(local, task, tmp_path)
            (first,) = local.workers()
            os.kill(first.pid, signal.SIGKILL)
            await until(lambda: not local.workers())
            await heard_silence(local, task, tmp_path)
            (second,) = local.workers()
            assert second.pid != first.pid

    asyncio.run(main())


def test_each_worker_hears_what_it_may_be_asked_for_and_not_what_others_do():
    first, second = workers = [LaneWorker(name, "worker", 1, 1 << 30, 60.0) for name in ("transcribe-1", "transcribe-2")]
    pool = _Pool(workers)
    a, b, c = ({"name": name} for name in "abc")
    pool.expect("in hand", [a])
    pool.expect("also in hand", [b, a])
    first.job, second.job = "in hand", "also in hand"
    pool.expect("waits", [c])
    assert (first.wanted, second.wanted) == ([a, c], [b, a, c])
    second.job = None
    pool.expect("waits", [])
    assert (first.wanted, second.wanted) == ([a, b], [b, a])


def test_what_is_wanted_of_a_lane_is_what_its_stages_will_load():
    plan = {role: {"name": role} for role in ("asr", "refine", "vad", "segmentation", "embedding")}
    wanted = {Lane.DIARIZE: [plan["vad"], plan["segmentation"], plan["embedding"]], Lane.TRANSCRIBE: [plan["asr"], plan["refine"]]}
    assert models_to_load(STAGES, plan) == wanted
    assert models_to_load(STAGES[-1:], plan) == {}, "clustering loads none"


def test_a_report_is_read():
    assert CacheView.from_plain({**REPORT, "event": "models"}) == CacheView(9, 2, 1, 0, (LoadedModel("a", 3),))


@pytest.mark.parametrize(
    "wrong",
    [{"budget": -1}, {"loads": "2"}, {"loads": 1.5}, {"models": 3}, {"models": [3]}, {"models": [{"name": "a"}]}, {"evictions": None}],
)
def test_a_report_that_makes_no_sense_is_refused(wrong):
    with pytest.raises((KeyError, TypeError, ValueError)):
        CacheView.from_plain({**REPORT, **wrong})
