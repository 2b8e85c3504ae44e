from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from trax import disk
from trax.errors import (
    DamagedRecording,
    DiskFull,
    EmptyRecording,
    RecordingTooLarge,
    StorageError,
    UnsupportedRecording,
    WorkerCrashed,
    WorkerError,
    WorkerHung,
    WorkerOutOfMemory,
)
from trax.pipeline import lane_worker
from trax.pipeline.decoding import DecodeLimits
from trax.pipeline.lanes import StageTask
from trax.pipeline.local_lanes import LocalLanes
from trax.pipeline.stages import DECODE, EMBED, PLAN, VAD, Lane
from trax.transcript import Span, spans_to_plain

MINUTE = 60 * 2 * 16_000


def ignore(_fraction: float) -> None:
    pass


def minutes_of_silence(folder: Path, minutes: int = 8) -> None:
    """Sound that voice activity is busy with for longer than any test here."""
    with (folder / "pcm.raw").open("wb") as handle:
        handle.truncate(minutes * MINUTE)


async def until(is_true: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not is_true():  # noqa: ASYNC110 - what it looks at is another process
            await asyncio.sleep(0.01)


async def stop(pid: int) -> None:
    """Have a process stand still, and wait until all its threads do: on a busy machine one may go on for a while, and hear what is sent."""
    os.kill(pid, signal.SIGSTOP)
    await until(lambda: all("\nState:\tT" in status.read_text() for status in Path(f"/proc/{pid}/task").glob("*/status")), 60.0)


async def begun(lanes: LocalLanes, task: StageTask) -> asyncio.Task[dict[str, object]]:
    """The task in hand, once its worker tells of progress."""
    moved = asyncio.Event()
    running = asyncio.create_task(lanes.run(task, lambda _fraction: moved.set()))
    moving = asyncio.create_task(moved.wait())
    await asyncio.wait([running, moving], timeout=30, return_when=asyncio.FIRST_COMPLETED)
    moving.cancel()
    assert not running.done()
    return running


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run, and see that no descriptor and no child is left."""
    files, children = psutil.Process().num_fds(), set(psutil.Process().children())
    asyncio.run(main())
    assert psutil.Process().num_fds() == files
    assert set(psutil.Process().children()) <= children


# -- decoding


def test_a_recording_is_decoded_by_a_child_and_found_whole(tmp_path, lanes, task, conversation):
    fractions: list[float] = []

    async def main() -> None:
        async with lanes() as local:
            found = await local.run(task(DECODE, source=str(conversation), extension=".ogg"), fractions.append)
        assert found["codec"] == "vorbis"
        assert found["duration"] * 2 * 16_000 == (tmp_path / "pcm.raw").stat().st_size
        assert [path.name for path in tmp_path.iterdir()] == ["pcm.raw"]

    run(main)
    assert all(0.0 <= fraction <= 1.0 for fraction in fractions)


@pytest.mark.parametrize(
    ("content", "extension", "expected"),
    [(b"", ".wav", EmptyRecording), (b"just text", ".mp3", UnsupportedRecording), ("cut", ".wav", DamagedRecording)],
    ids=["empty", "text", "cut short"],
)
def test_a_bad_recording_is_told_and_leaves_nothing(tmp_path, lanes, task, speech, content, extension, expected):
    source = tmp_path / "source"
    source.write_bytes(speech.read_bytes()[:20_000] if content == "cut" else content)

    async def main() -> None:
        async with lanes() as local:
            with pytest.raises(expected):
                await local.run(task(DECODE, extension=extension), ignore)

    run(main)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (DecodeLimits(sound_seconds=1.0), RecordingTooLarge),
        (DecodeLimits(wall_seconds=0.01), WorkerHung),
        (DecodeLimits(cpu_seconds=0), DamagedRecording),
        (DecodeLimits(memory=32 << 20), WorkerCrashed),
    ],
    ids=["sound", "wall time", "processor time", "memory"],
)
def test_a_decode_keeps_to_its_limits(tmp_path, lanes, task, speech, limits, expected):
    async def main() -> None:
        async with lanes(limits=limits) as local:
            with pytest.raises((expected, DamagedRecording) if limits.memory < 100 << 20 else expected):
                await local.run(task(DECODE, source=str(speech)), ignore)

    run(main)
    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_is_gone_or_a_link_is_an_error_of_ours(tmp_path, lanes, task, speech):
    (tmp_path / "link").symlink_to(speech)

    async def main() -> None:
        async with lanes() as local:
            for name in ("gone", "link"):
                with pytest.raises(StorageError, match="Could not open"):
                    await local.run(task(DECODE, source=str(tmp_path / name)), ignore)

    run(main)


def test_a_disk_without_room_for_the_sound_is_told_as_such(tmp_path, lanes, task, speech, monkeypatch):
    def full(operation, path, _made):
        if operation == "create":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    async def main() -> None:
        async with lanes() as local:
            monkeypatch.setattr(disk, "observer", full)
            with pytest.raises(DiskFull, match="No space left"):
                await local.run(task(DECODE, source=str(speech)), ignore)
            monkeypatch.undo()

    run(main)


def test_a_decode_that_is_cancelled_leaves_nothing(tmp_path, lanes, task, conversation):
    async def main() -> None:
        async with lanes() as local:
            decoding = asyncio.create_task(local.run(task(DECODE, source=str(conversation), extension=".ogg"), ignore))
            await until(lambda: any(tmp_path.glob(".trax-*.tmp")))
            decoding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await decoding
            assert await local.run(task(DECODE, source=str(conversation), extension=".ogg"), ignore)

    run(main)
    assert [path.name for path in tmp_path.iterdir()] == ["pcm.raw"]


# -- workers


def test_a_worker_does_one_task_after_another(tmp_path, lanes, task):
    minutes_of_silence(tmp_path, minutes=0)

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            assert local.workers() == []
            plan = await local.run(task(PLAN), ignore)
            assert plan["asr"]["kind"] == "asr"
            assert (await local.run(task(VAD), ignore)) == {"speech_seconds": 0}
            assert json.loads((tmp_path / "vad.json").read_bytes()) == {"speech": [], "duration": 0.0}
            (worker,) = local.workers()
            assert not worker.is_busy
            assert worker.memory > 1 << 20

    run(main)


def test_lanes_work_side_by_side(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes() as local:
            busy = await begun(local, task(VAD))
            assert await local.run(task(PLAN, lane=Lane.TRANSCRIBE), ignore)
            assert sorted((worker.lane, worker.is_busy) for worker in local.workers()) == [("diarize", True), ("transcribe-1", False)]
            busy.cancel()
            await asyncio.wait([busy])

    run(main)


def test_a_task_that_fails_leaves_its_worker_for_the_next(tmp_path, lanes, task):
    async def main() -> None:
        async with lanes(max_workers=1) as local:
            with pytest.raises(StorageError, match="decoded sound"):
                await local.run(task(VAD), ignore)  # there is no pcm.raw
            (first,) = local.workers()
            with pytest.raises(WorkerError, match="KeyError"):
                await local.run(task(VAD, inputs={}), ignore)
            await local.run(task(PLAN), ignore)
            (second,) = local.workers()
            assert first.pid == second.pid

    run(main)


def test_a_killed_worker_has_crashed_and_another_does_the_next_task(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            busy = await begun(local, task(VAD))
            (first,) = local.workers()
            os.kill(first.pid, signal.SIGKILL)
            with pytest.raises(WorkerCrashed, match="SIGKILL"):
                await busy
            assert local.workers() == []
            assert await local.run(task(PLAN), ignore)
            (second,) = local.workers()
            assert second.pid != first.pid

    run(main)
    assert [path.name for path in tmp_path.iterdir()] == ["pcm.raw"]


def test_a_stopped_worker_is_hung_and_replaced(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes(max_workers=1, hang_seconds=3.0) as local:
            busy = await begun(local, task(VAD))
            (first,) = local.workers()
            await stop(first.pid)
            with pytest.raises(WorkerHung):
                await busy
            assert not psutil.pid_exists(first.pid)
            assert await local.run(task(PLAN), ignore)

    run(main)


def test_a_cancelled_task_is_given_up_soon_and_leaves_nothing(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            busy = await begun(local, task(VAD))
            began = time.monotonic()
            busy.cancel()
            with pytest.raises(asyncio.CancelledError):
                await busy
            assert time.monotonic() - began < 4.5
            assert await local.run(task(PLAN), ignore)

    run(main)
    assert [path.name for path in tmp_path.iterdir()] == ["pcm.raw"]


def test_a_worker_that_does_not_give_its_task_up_is_replaced(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            busy = await begun(local, task(VAD))
            (first,) = local.workers()
            await stop(first.pid)
            busy.cancel()
            with pytest.raises(asyncio.CancelledError):
                await busy
            assert not psutil.pid_exists(first.pid)
            assert await local.run(task(PLAN), ignore)

    run(main)


def test_cancelled_again_while_the_worker_gives_its_task_up_nobody_works_on(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            busy = await begun(local, task(VAD))
            (first,) = local.workers()
            await stop(first.pid)
            busy.cancel()
            await asyncio.sleep(0.1)
            busy.cancel()
            with pytest.raises(asyncio.CancelledError):
                await busy
            await until(lambda: not psutil.pid_exists(first.pid), 1.0)
            assert await local.run(task(PLAN), ignore)

    run(main)


def test_cancelled_while_its_worker_starts_the_task_is_gone_and_the_next_is_done(lanes, task):
    async def main() -> None:
        async with lanes(max_workers=1) as local:
            for seconds in (0.0, 0.01, 0.1):
                starting = asyncio.create_task(local.run(task(PLAN), ignore))
                await asyncio.sleep(seconds)
                starting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await starting
            assert await local.run(task(PLAN), ignore)

    run(main)


def test_cancelled_while_it_waits_for_a_worker_a_task_does_not_take_one_along(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            busy = await begun(local, task(VAD))
            waiting = asyncio.create_task(local.run(task(PLAN), ignore))
            await asyncio.sleep(0.05)
            busy.cancel()
            waiting.cancel()
            await asyncio.wait([busy, waiting])
            assert waiting.cancelled()
            assert await local.run(task(PLAN), ignore)

    run(main)


def test_a_follower_that_fails_leaves_no_worker_at_it(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    def fail(_fraction: float) -> None:
        raise ZeroDivisionError

    async def main() -> None:
        async with lanes(max_workers=1) as local:
            with pytest.raises(ZeroDivisionError):
                await local.run(task(VAD), fail)
            assert await local.run(task(PLAN), ignore)

    run(main)


def test_an_idle_worker_is_let_go_and_a_task_that_comes_meanwhile_gets_another(lanes, task):
    async def main() -> None:
        async with lanes(max_workers=1, idle_seconds=0.0) as local:
            await local.run(task(PLAN), ignore)
            (first,) = local.workers()
            await stop(first.pid)  # so that it takes its time to go
            letting_go = asyncio.create_task(local.let_idle_go())
            await asyncio.sleep(0.05)
            assert psutil.pid_exists(first.pid)
            assert await local.run(task(PLAN), ignore)
            await letting_go
            assert not psutil.pid_exists(first.pid)
            assert len(local.workers()) == 1

    run(main)


def test_a_worker_that_is_busy_or_was_just_used_is_not_let_go(tmp_path, lanes, task):
    minutes_of_silence(tmp_path)

    async def main() -> None:
        async with lanes(max_workers=1, idle_seconds=0.0) as local:
            busy = await begun(local, task(VAD))
            await local.let_idle_go()
            assert not busy.done()
            busy.cancel()
            await asyncio.wait([busy])
        async with lanes(max_workers=1, idle_seconds=60.0) as local:
            await local.run(task(PLAN), ignore)
            await local.let_idle_go()
            assert len(local.workers()) == 1

    run(main)


def test_a_worker_that_died_while_idle_costs_no_task_an_attempt(lanes, task):
    async def main() -> None:
        async with lanes(max_workers=1) as local:
            await local.run(task(PLAN), ignore)
            (worker,) = local.workers()
            os.kill(worker.pid, signal.SIGKILL)
            await until(lambda: not psutil.pid_exists(worker.pid))
            await asyncio.sleep(0.05)
            assert await local.run(task(PLAN), ignore)

    run(main)


def test_a_worker_that_grew_over_its_share_of_the_memory_is_replaced(lanes, task):
    async def main() -> None:
        async with lanes(max_workers=1, share_gb=0.001) as local:
            for _ in range(2):
                assert await local.run(task(PLAN), ignore)
                assert local.workers() == []

    run(main)


def test_a_worker_that_needs_too_much_memory_says_so_and_is_replaced(tmp_path, lanes, task, monkeypatch):
    minutes_of_silence(tmp_path, minutes=1)
    (tmp_path / "vad.json").write_text(json.dumps({"speech": spans_to_plain([Span(0.0, 60.0)])}))
    monkeypatch.setattr(lane_worker, "_RESERVE", (150 << 20) - (1 << 30))  # it starts with 105 MiB, and embedding takes 75 more

    async def main() -> None:
        async with lanes(max_workers=1, share_gb=1.0) as local:
            plan = await local.run(task(PLAN), ignore)
            with pytest.raises(WorkerOutOfMemory, match="The worker needed more than the 1024 MB"):
                await local.run(task(EMBED, models={"embedding": plan["embedding"]}), ignore)
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
    worker.wait(3)
    if held is not None:
        os.close(held)
    assert not (tmp_path / "vad.json").exists()


def test_the_source_may_be_under_any_name(tmp_path, lanes, task, speech):
    odd = tmp_path / os.fsdecode(b"--output-fd=1\n\xff.wav")
    shutil.copyfile(speech, odd)

    async def main() -> None:
        async with lanes() as local:
            assert (await local.run(task(DECODE, source=str(odd)), ignore))["duration"] == 4.0

    run(main)
