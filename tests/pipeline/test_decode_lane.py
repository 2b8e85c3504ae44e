"""The lane that decodes: a child a recording, which keeps to its limits and leaves nothing behind."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil

import pytest
from lane_processes import ignore, run, until

from trax import disk
from trax.errors import (
    DamagedRecording,
    DiskFull,
    EmptyRecording,
    RecordingTooLarge,
    StorageError,
    UnsupportedRecording,
    WorkerCrashed,
    WorkerHung,
)
from trax.pipeline.decoding import DecodeLimits
from trax.pipeline.stages import DECODE


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


def test_noise_is_reduced_where_the_job_asks_for_it(tmp_path, lanes, task, speech):
    async def main() -> list[bytes]:
        made = []
        async with lanes() as local:
            for reduces in (False, True):
                asked = task(DECODE, source=str(speech), extension=".wav", settings={"audio": {"noise_reduction": reduces}})
                await local.run(asked, ignore)
                made.append((tmp_path / "pcm.raw").read_bytes())
        return made

    as_it_is, reduced = asyncio.run(main())
    assert len(as_it_is) == len(reduced)
    assert as_it_is != reduced


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


def test_the_source_may_be_under_any_name(tmp_path, lanes, task, speech):
    odd = tmp_path / os.fsdecode(b"--output-fd=1\n\xff.wav")
    shutil.copyfile(speech, odd)

    async def main() -> None:
        async with lanes() as local:
            assert (await local.run(task(DECODE, source=str(odd)), ignore))["duration"] == 4.0

    run(main)
