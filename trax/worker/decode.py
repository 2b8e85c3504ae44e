"""The decode child: untrusted bytes meet the media library here, in a short-lived process that can do little harm.

    python -I -m trax.worker.decode --output-fd N --extension .mp3 --memory-bytes B --cpu-seconds S --output-bytes B [--reduce-noise]

Reads the source from descriptor 0 (a regular file that the supervisor opened), writes PCM to descriptor N (a new file, open for reading
too), and JSON lines to standard output: {"event": "progress", "fraction": 0.4} …, then {"event": "done", "result": {…}} or {"event":
"error", "error": {…}}. The result also names the defences that this kernel lacks ("undefended").

Exit status 0 after "done", 1 after "error"; any other end (a signal, say) is the supervisor's to explain. SIGPROF means that the file took
processor time and gave no sound for it, SIGXCPU that it took too much in all. The wall time is the supervisor's to limit.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
from dataclasses import asdict
from io import FileIO
from typing import Any

from trax import core_dumps
from trax.errors import DamagedRecording, TraxError, WorkerCrashed, unforeseen
from trax.worker.limits import limit
from trax.worker.memory import go_first
from trax.worker.protocol import Channel, Progress, die_with_parent, take_stdout
from trax.worker.sandbox import seal

#: Processor time for opening a file, and then for every minute of sound or 16 MB, seconds. A minute of AAC or Opus took 0.2 where it was
#: measured.
_HEADWAY_SECONDS = 4
_GRACE_SECONDS = 5  # between SIGXCPU and SIGKILL


def main() -> int:
    """Decode standard input as the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output-fd", type=int, required=True)
    parser.add_argument("--extension", required=True)
    for option in ("--memory-bytes", "--cpu-seconds", "--output-bytes"):
        parser.add_argument(option, type=int, required=True)
    parser.add_argument("--reduce-noise", action="store_true")
    asked = parser.parse_args()
    die_with_parent()
    go_first()
    channel = take_stdout()
    try:
        result = _decode(asked, channel)
    except TraxError as error:
        channel.send(event="error", error=error.as_dict())
    except MemoryError:
        allowed = asked.memory_bytes // (1 << 20)
        damaged = DamagedRecording(f"Decoding needs more than the {allowed} MiB of memory that are allowed.")
        channel.send(event="error", error=damaged.as_dict())
    except Exception as error:  # noqa: BLE001 - the wall between two processes: the other side gets words, never a traceback
        channel.send(event="error", error=WorkerCrashed(f"The decoder failed: {unforeseen(error)}.").as_dict())
    else:
        channel.send(event="done", result=result)
        return 0
    return 1


def _decode(asked: argparse.Namespace, channel: Channel) -> dict[str, Any]:
    limit_process(asked.memory_bytes, asked.cpu_seconds, asked.output_bytes)
    # Whatever would be loaded later is loaded now: in the sandbox no file can be opened.
    import av.subtitles.stream  # noqa: F401 - PyAV loads it when it opens a source

    from trax.audio.decode import decode
    from trax.audio.denoise import reduce_noise

    source = FileIO(0, "rb", closefd=False)
    undefended = seal(keep=asked.output_fd)
    grant_time()
    info = decode(source, asked.output_fd, asked.extension, asked.output_bytes, Progress(channel), grant_time)
    if asked.reduce_noise:

        def go_on() -> None:
            grant_time()
            channel.send(event="progress", fraction=1.0)

        grant_time()
        reduce_noise(asked.output_fd, go_on)
    return {**asdict(info), "undefended": undefended}


def limit_process(memory_bytes: int, cpu_seconds: int, output_bytes: int) -> None:
    """Limit this process, before a media library is loaded: address space, processor time, the size of any file, no core dump."""
    limit(resource.RLIMIT_AS, memory_bytes)
    limit(resource.RLIMIT_CPU, cpu_seconds, grace=_GRACE_SECONDS)
    limit(resource.RLIMIT_FSIZE, output_bytes)  # Python ignores SIGXFSZ: a write over the limit fails with an error
    core_dumps.forbid()


def grant_time(seconds: float = _HEADWAY_SECONDS) -> None:
    """Let the process live for so much more processor time, unless it is granted some again; then the kernel ends it with SIGPROF.

    Not by raising RLIMIT_CPU: on a loaded virtual machine it ended a process five seconds before the process's own clock came to it,
    perhaps since it is held against a clock of ticks that a process cannot read. A timer begins anew each time, so nothing adds up.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)


if __name__ == "__main__":
    sys.exit(main())
