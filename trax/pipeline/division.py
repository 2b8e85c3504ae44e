"""How the machine is divided among the worker processes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

#: What the daemon and a decode child are allowed for, GiB: measured, they take 0.05 and 0.1.
ASIDE_GB = 0.5
#: What a further transcriber must find free to be started at all, GiB: PocketSphinx takes 0.2, a small Whisper model twice that.
LEAST_SHARE_GB = 0.75


@dataclass(frozen=True, slots=True)
class Division:
    """`is_shared`: both lanes take turns in one process. Else there are so many transcribers, and one process for diarization.

    `threads` are a transcriber's; diarization has one, or all of them where the process is shared. `share_gb` is the memory
    each process may keep, in GiB.
    """

    is_shared: bool
    transcribers: int
    threads: int
    share_gb: float


def divide(*, cores: int, max_workers: int, is_parallel: bool, memory_gb: float) -> Division:
    """Divide cores and memory: as many workers as are allowed and find room, their threads never more than there are cores.

    Diarization takes about an eighth of the time transcription takes, so it gets one core and the rest go to the transcribers.
    """
    room = max(memory_gb - ASIDE_GB, LEAST_SHARE_GB)
    workers = min(max_workers, int(room / LEAST_SHARE_GB))
    if workers == 1 or not is_parallel:
        return Division(is_shared=True, transcribers=1, threads=cores, share_gb=room)
    transcribers = workers - 1
    return Division(is_shared=False, transcribers=transcribers, threads=max(1, (cores - 1) // transcribers), share_gb=room / workers)
