"""The decode lane: one short-lived, limited child per recording. It gets two open descriptors and no paths."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from loguru import logger

from trax import disk, files
from trax.errors import DamagedRecording, RecordingError, RecordingTooLarge, StorageError, TraxError, WorkerCrashed, WorkerError, WorkerHung
from trax.pipeline.process import ChildProcess
from trax.text import printable
from trax.transcript import SAMPLE_BYTES, SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one decode may take: bytes of address space, seconds of CPU, of wall time, without a sign of progress, and of sound."""

    memory: int = 512 << 20  # a film of twelve hours at 60 pictures a second reserves 480 MB, twelve hours of AAC alone 300
    cpu_seconds: int = 3600
    wall_seconds: float = 7200.0
    silence_seconds: float = 600.0
    sound_seconds: float = 12 * 3600.0


async def decode(
    source: Path,
    target: Path,
    extension: str,
    limits: DecodeLimits,
    on_progress: Callable[[float], None],
    *,
    reduces_noise: bool = False,
) -> dict[str, Any]:
    """Decode `source` to 16 kHz mono PCM at `target`, durably; returns container, codec, sample_rate, channels and duration.

    `reduces_noise` takes steady noise out: whatever listens afterwards, for words or for voices, hears what is left.

    Raises the RecordingError the child found, WorkerCrashed when it fell over the file, WorkerHung when it took too long,
    StorageError when the recording cannot be opened or the PCM not be written, DiskFull when it was for lack of room.
    """
    source_fd = _open(source)
    try:
        with files.replacing(target) as pcm:  # a new file: a child that outlived its daemon may still write to a former one
            options = [f"--extension={extension}", *(["--reduce-noise"] if reduces_noise else [])]
            result = await _decode(source_fd, pcm.fileno(), options, limits, on_progress)
            await asyncio.to_thread(disk.sync, pcm.fileno(), Path(pcm.name))  # hours of sound take seconds to sync: not in the loop
    finally:
        os.close(source_fd)
    return result


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise disk.storage_error("open the file", error, path) from error


async def _decode(
    source_fd: int, target_fd: int, options: list[str], limits: DecodeLimits, on_progress: Callable[[float], None]
) -> dict[str, Any]:
    child = await ChildProcess.start(
        "trax.worker.decode",
        f"--output-fd={target_fd}",
        *options,
        f"--memory-bytes={limits.memory}",
        f"--cpu-seconds={limits.cpu_seconds}",
        f"--output-bytes={int(limits.sound_seconds * SAMPLE_RATE) * SAMPLE_BYTES}",
        what="decoder",
        stdin=source_fd,
        pass_fds=(target_fd,),
        is_bare=True,
    )
    try:
        async with asyncio.timeout(limits.wall_seconds):
            told = await child.answer(limits.silence_seconds, on_progress)
    except TimeoutError:
        raise WorkerHung(f"The decoder took more than the {limits.wall_seconds:g} s that are allowed.") from None
    except WorkerCrashed as error:
        if child.ended_by in (signal.SIGPROF, signal.SIGXCPU):  # see `trax.worker.decode`
            raise DamagedRecording("Decoding takes more processor time than the sound in the file is worth.") from error
        raise
    except (RecordingError, WorkerError, StorageError):
        raise
    except TraxError as error:  # it met hostile bytes: that it speaks of the daemon's own affairs must move nobody
        raise WorkerCrashed("The decoder's answer makes no sense.") from error
    finally:
        await child.kill()
    return media_told(told, samples=os.fstat(target_fd).st_size // SAMPLE_BYTES, limits=limits)


def media_told(told: dict[str, Any], *, samples: int, limits: DecodeLimits) -> dict[str, Any]:
    """What the child says of the recording, as far as it is plausible; how much it wrote is measured."""
    match told:
        case {
            "container": str(container),
            "codec": str(codec),
            "sample_rate": int(sample_rate),
            "channels": int(channels),
            "duration": int() | float() as duration,
            "damaged_frames": int(damaged_frames),
            "undefended": list(undefended),
        } if samples - 1 < duration * SAMPLE_RATE < samples + 1:
            pass
        case _:
            raise WorkerCrashed("The decoder's answer makes no sense.")
    _tell_once(", ".join(str(each)[:40] for each in undefended[:4]))
    if duration > limits.sound_seconds:
        raise RecordingTooLarge(f"The recording is longer than {limits.sound_seconds / 3600:g} hours.")
    return {
        "container": container[:40],
        "codec": codec[:40],
        "sample_rate": sample_rate,
        "channels": channels,
        "duration": float(duration),
        "damaged_frames": damaged_frames,
    }


@cache
def _tell_once(undefended: str) -> None:
    if undefended:
        logger.warning("this kernel keeps the decoder in with less than it might; missing: {}", printable(undefended))
