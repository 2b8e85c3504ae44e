"""The decode child: untrusted bytes meet the media library here, in a short-lived process that can do little harm.

    python -m trax.worker.decode --output-fd N --extension .mp3 --memory-bytes B --cpu-seconds S --output-bytes B

Reads the source from descriptor 0 (a regular file that the supervisor opened), writes PCM to descriptor N, and JSON lines to standard
output: {"event": "progress", "fraction": 0.4} …, then {"event": "done", "result": {…}} or {"event": "error", "error": {…}}.
Exit status 0 after "done", 1 after "error"; any other end (a signal, say) is the supervisor's to explain. So is the wall time.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import signal
import sys
from dataclasses import asdict
from types import FrameType
from typing import TYPE_CHECKING

from trax.errors import DamagedRecording, TraxError, WorkerCrashed
from trax.worker.protocol import Channel, Progress, die_with_parent, take_stdout

if TYPE_CHECKING:
    from trax.audio.decode import Limits, MediaInfo

_GRACE_SECONDS = 5  # of processor time between being asked to stop and being killed


def main() -> int:
    """Decode standard input as the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output-fd", type=int, required=True)
    parser.add_argument("--extension", required=True)
    for limit in ("--memory-bytes", "--cpu-seconds", "--output-bytes"):
        parser.add_argument(limit, type=int, required=True)
    asked = parser.parse_args()
    die_with_parent()
    channel = take_stdout()
    try:
        limit_process(asked.memory_bytes, asked.cpu_seconds, asked.output_bytes)
        from trax.audio.decode import Limits

        limits = Limits(asked.memory_bytes, asked.cpu_seconds, asked.output_bytes)
        result = _decode(asked.output_fd, asked.extension, limits, channel)
    except TraxError as error:
        channel.send(event="error", error=error.as_dict())
    except MemoryError:
        allowed = asked.memory_bytes // (1 << 20)
        damaged = DamagedRecording(f"Decoding needs more than the {allowed} MiB of memory that are allowed.")
        channel.send(event="error", error=damaged.as_dict())
    except Exception as error:  # noqa: BLE001 - the wall between two processes: the other side gets words, never a traceback
        channel.send(event="error", error=WorkerCrashed(f"The decoder failed: {type(error).__name__}: {error}").as_dict())
    else:
        channel.send(event="done", result=asdict(result))
        return 0
    return 1


def _decode(output_fd: int, extension: str, limits: Limits, channel: Channel) -> MediaInfo:
    import av.subtitles.stream  # noqa: F401 - PyAV would load it when it opens the source, and then no file may be opened

    from trax.audio.decode import decode

    forbid_new_files(keep=output_fd)
    return decode(0, output_fd, extension, limits, Progress(channel))


def limit_process(memory_bytes: int, cpu_seconds: int, output_bytes: int) -> None:
    """Limit this process, before a media library is loaded: address space, processor time, the size of any file, no core dump."""

    def out_of_time(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise DamagedRecording(f"Decoding took more than the {cpu_seconds} s of processor time that are allowed.")

    signal.signal(signal.SIGXCPU, out_of_time)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write over the limit then fails with an error that can be told
    for which, soft, hard in (
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + _GRACE_SECONDS),
        (resource.RLIMIT_FSIZE, output_bytes, output_bytes),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        ceiling = resource.getrlimit(which)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)  # noqa: PLW2901 - no process may raise its own ceiling
        resource.setrlimit(which, (soft, hard))


def forbid_new_files(*, keep: int) -> None:
    """From here on the process opens no file: every library is loaded. Descriptors up to `keep` stay usable."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (keep + 1, keep + 1))
    with contextlib.suppress(OSError):
        while True:
            os.dup(2)  # take the free numbers below the limit too


if __name__ == "__main__":
    sys.exit(main())
