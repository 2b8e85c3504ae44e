"""Whether the disks have room for a job before it starts. The estimate and the sums are pure; `Room` asks the disks.

A job that finds no room in the middle waits as well and nothing is lost; but it would wait with a half-decoded recording on a full disk,
and keep all others from going on.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trax import files
from trax.config import Settings
from trax.errors import StorageError
from trax.intake.names import extension_of, printable
from trax.jobs.folders import JOB_FILE, SOURCE_FILE, StateFolders
from trax.jobs.job import Job

#: How long whatever waits for a disk waits before it looks again, seconds: nothing tells when there is room.
LOOK_AGAIN = 10.0
#: What is left free beside the state folder's jobs, bytes: the ledger must be able to say how they end.
LEDGER_BYTES = 64 << 20

# Bytes a second of sound. PCM is exact: 16,000 samples of 2 bytes. Of the rest the embeddings and a talkative transcript in all formats
# are the most; each file takes at least a block besides.
_PCM_RATE = 32_000
_ARTEFACTS_RATE, _ARTEFACTS_LEAST = 4_000, 512 << 10
_OUTPUTS_RATE, _OUTPUTS_LEAST = 1_500, 128 << 10

#: Bytes a second of a recording that is coded as tightly as speech usually is; a WAV says its rate itself. Where a codec goes lower still,
#: the estimate is too small and the job may wait in the middle; a bound that no recording passes would keep most from starting.
_TIGHTEST = {".wav": 4_000, ".flac": 8_000, ".mp3": 4_000, ".aac": 3_000, ".m4a": 3_000, ".mp4": 3_000, ".mov": 3_000}
_TIGHTEST_OTHER = 1_500  # Opus and Vorbis in .ogg, .opus, .webm, .mkv
_WAV_HEAD = 36


@dataclass(frozen=True, slots=True)
class Bytes:
    """An amount on the file system of the state folder, and one on that of the outbox."""

    state: int = 0
    outbox: int = 0

    def __add__(self, other: Bytes) -> Bytes:
        return Bytes(self.state + other.state, self.outbox + other.outbox)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a job waits for, in words, and the bytes that are missing (None: it waits for something else than room)."""

    what: str
    missing_bytes: int | None = None

    def __str__(self) -> str:
        return self.what if self.missing_bytes is None else f"{self.what}: {self.missing_bytes / 1e6:.1f} MB more are needed"


def sound_seconds(size: int, extension: str, head: bytes, longest: float) -> float:
    """About how many seconds of sound a recording of `size` bytes has, from its first bytes or its extension; `longest` is the limit."""
    rate = _wav_rate(head) or _TIGHTEST.get(extension, _TIGHTEST_OTHER)
    return min(size / rate, longest)


def _wav_rate(head: bytes) -> int | None:
    """Bytes a second by the header of a WAV file, whose `fmt ` chunk is first in almost all."""
    if len(head) < _WAV_HEAD or head[:4] != b"RIFF" or head[8:16] != b"WAVEfmt ":
        return None
    rate: int = struct.unpack_from("<I", head, 28)[0]
    return rate or None


def needs(seconds: float) -> Bytes:
    """What a job over so much sound writes: decoded sound and artefacts in the state folder, outputs in the outbox."""
    return Bytes(int(seconds * (_PCM_RATE + _ARTEFACTS_RATE)) + _ARTEFACTS_LEAST, int(seconds * _OUTPUTS_RATE) + _OUTPUTS_LEAST)


def missing(needed: Bytes, free: Bytes, *, is_one_disk: bool) -> Bytes:
    """What is not there of `needed` when so much is `free`; with one disk for both, all that is missing is missing in the state folder."""
    if is_one_disk:
        return Bytes(max(0, needed.state + needed.outbox - free.state))
    return Bytes(max(0, needed.state - free.state), max(0, needed.outbox - free.outbox))


class Room:
    """The disks of the state folder and the outbox."""

    def __init__(self, settings: Settings, folders: StateFolders) -> None:
        self._outbox = settings.outbox_folder
        self._folders = folders
        self._longest = settings.intake.max_duration_hours * 3600
        self._mount = _mount_of(self._outbox)
        self._needs: dict[str, Bytes] = {}

    def waiting(self, job: Job, in_hand: Iterable[Job]) -> Waiting | None:
        """What must come about before the job may start beside those in hand; None when it may."""
        try:
            if problem := self._problem():
                return Waiting(f"the outbox: {problem}")
            needed = sum((self._still_needed(each) for each in (job, *in_hand)), Bytes(LEDGER_BYTES))
            free = Bytes(files.free_bytes(self._folders.root), files.free_bytes(self._outbox))
            lacking = missing(needed, free, is_one_disk=is_one_disk(self._folders.root, self._outbox))
        except (StorageError, OSError) as error:
            return Waiting(f"the disk: {error.what if isinstance(error, StorageError) else error.strerror}")
        if lacking.state:
            return Waiting("room on the disk of the state folder", lacking.state)
        return Waiting("room on the disk of the outbox", lacking.outbox) if lacking.outbox else None

    def for_copy(self, size: int, device: int) -> Waiting | None:
        """What must come about before `size` bytes can be copied from the mount `device`; on our own a recording is only renamed."""
        if device == self._folders.root.stat().st_dev:
            return None
        lacking = missing(Bytes(size + LEDGER_BYTES), Bytes(files.free_bytes(self._folders.root)), is_one_disk=True)
        return Waiting("room on the disk of the state folder", lacking.state) if lacking.state else None

    def forget(self, job_id: str) -> None:
        """The job is no longer one that may start."""
        self._needs.pop(job_id, None)

    def _still_needed(self, job: Job) -> Bytes:
        folder = self._folders.work / job.id
        if job.id not in self._needs and job.standing is not None:  # nothing is decoded, and the former outputs are kept
            outputs = needs(job.duration or 0.0).outbox
            self._needs[job.id] = Bytes(_ARTEFACTS_LEAST + outputs, outputs)
        if job.id not in self._needs:
            seconds = sound_seconds(job.size or 0, extension_of(job.source_name), _head(folder / SOURCE_FILE), self._longest)
            self._needs[job.id] = needs(seconds)
        whole = self._needs[job.id]
        return Bytes(max(0, whole.state - (_written(folder) if job.standing is None else 0)), whole.outbox)

    def _problem(self) -> str | None:
        """Why nothing can be put into the outbox, whatever room there is. Without its mount, what we put there would be hidden by it."""
        if not os.path.ismount(self._mount):
            return f"{printable(str(self._mount))} is not mounted"
        files.make_folder(self._outbox)
        if os.statvfs(self._outbox).f_flag & os.ST_RDONLY:
            return "its file system is read-only"
        return None if os.access(self._outbox, os.W_OK | os.X_OK) else "Trax may not write there"


def is_one_disk(one: Path, other: Path) -> bool:
    """Whether two folders share their room."""
    return one.stat().st_dev == other.stat().st_dev


def _mount_of(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if os.path.ismount(each))


def _head(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""  # whatever is wrong with it, the job will say
    try:
        return os.read(descriptor, _WAV_HEAD)
    finally:
        os.close(descriptor)


def _written(folder: Path) -> int:
    """Bytes that a job has made in its folder."""
    try:
        with os.scandir(folder) as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries if entry.name not in (SOURCE_FILE, JOB_FILE))
    except OSError:
        return 0
