"""The decode lane: one short-lived, limited child per recording. It gets two open descriptors and no paths."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trax import errors, files
from trax.errors import RecordingTooLarge, TraxError, WorkerCrashed
from trax.pipeline.process import ChildProcess

_BYTES_PER_SECOND = 2 * 16_000


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one decode may take: bytes of address space, seconds of CPU, seconds of wall time, seconds of sound."""

    memory: int = 2 << 30
    cpu_seconds: int = 3600
    wall_seconds: float = 7200.0
    sound_seconds: float = 12 * 3600.0


async def decode(
    source: Path, target: Path, extension: str, limits: DecodeLimits, on_progress: Callable[[float], None]
) -> dict[str, Any]:
    """Decode `source` to 16 kHz mono PCM at `target`, durably; returns container, codec, sample_rate, channels and duration.

    Raises the RecordingError the child found, WorkerCrashed when it fell over the file, WorkerHung when it took too long.
    """
    result: dict[str, Any] | None = None
    temporary = target.with_name(f".{target.name}.tmp")
    source_fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        target_fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, files.FILE_MODE)
        try:
            child = await ChildProcess.start(
                "trax.worker.decode",
                f"--output-fd={target_fd}",
                f"--extension={extension}",
                f"--memory-bytes={limits.memory}",
                f"--cpu-seconds={limits.cpu_seconds}",
                f"--output-bytes={int(limits.sound_seconds * _BYTES_PER_SECOND)}",
                what="decoder",
                stdin=source_fd,
                pass_fds=(target_fd,),
                threads=1,
            )
            try:
                while (message := await child.receive(limits.wall_seconds)) is not None:
                    match message.get("event"):
                        case "progress":
                            on_progress(float(message["fraction"]))
                        case "done":
                            result = _media(message["result"], limits)
                        case "error":
                            raise errors.from_dict(message["error"])
                if result is None:
                    raise await child.crashed()
            finally:
                await child.kill()
        finally:
            os.close(target_fd)
        files.sync_file(temporary)
        files.rename(temporary, target)
    except (KeyError, TypeError, ValueError) as error:
        raise WorkerCrashed(f"The decoder's answer makes no sense ({error}).") from error
    finally:
        os.close(source_fd)
        temporary.unlink(missing_ok=True)
    return result


def _media(plain: dict[str, Any], limits: DecodeLimits) -> dict[str, Any]:
    media: dict[str, Any] = {
        "container": str(plain["container"])[:40],
        "codec": str(plain["codec"])[:40],
        "sample_rate": int(plain["sample_rate"]),
        "channels": int(plain["channels"]),
        "duration": float(plain["duration"]),
        "damaged_frames": int(plain.get("damaged_frames", 0)),
    }
    if media["duration"] > limits.sound_seconds:
        raise _too_long(limits)
    return media


def _too_long(limits: DecodeLimits) -> TraxError:
    return RecordingTooLarge(f"The recording is longer than {limits.sound_seconds / 3600:g} hours.")
