"""The errors of Trax: one tree, drawn here.

    TraxError
    ├── ConfigError            the settings cannot be used; carries every problem at once
    ├── RecordingError         this recording cannot be processed, however often it is tried
    │   ├── UnreadableRecording    not ours to open, or not a regular file (link, pipe, device)
    │   ├── EmptyRecording         no bytes
    │   ├── RecordingTooLarge      over a limit of size or length
    │   ├── UnsupportedRecording   an extension or container Trax does not take, or the two disagree
    │   ├── DamagedRecording       the media library gives up on it
    │   └── NoAudio                a sound container without a sound track
    ├── ModelError             a model is missing, damaged or of the wrong kind
    │   ├── ModelUnreachable       where it comes from cannot be reached; another attempt can help
    │   └── LibraryChanged         what was to run it is not there any more; another attempt can help
    ├── EngineError            whisper.cpp could not be built for this machine, or what was built is not to be trusted
    ├── WorkerError            a worker process failed; another attempt can help
    │   ├── WorkerCrashed          it ended by itself or by a signal
    │   ├── WorkerOutOfMemory      it needed more memory than it is allowed
    │   ├── WorkerOutdated         it has loaded another build of a library than the task needs
    │   └── WorkerHung             it made no progress for too long
    ├── StorageError           the disk refused; another attempt can help
    │   └── DiskFull               no room
    ├── DiskFailed             the disk lost what was written (an fsync failed): nothing may be built on it, so Trax stops
    ├── TranscriptError        the parts of a transcript contradict each other: a fault of Trax
    ├── LedgerError            the ledger cannot be read
    ├── AlreadyRunning         another daemon works on the same root
    ├── JobError               what was asked of a job does not fit its state
    ├── SpeakerError           a voice cannot be enrolled, or is not
    ├── ControlError           the daemon cannot be reached or does not understand
    │   ├── DaemonAbsent           nobody listens on its socket
    │   └── DaemonBusy             it is there and did not answer in time
    └── Cancelled              someone asked for the job to end

Every error says what happened (`what`), to which file (`file`), and what the user can do (`advice`), has a stable `code`,
and knows whether trying again can help (`permanent`). Errors cross the process wall as plain dicts.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any, ClassVar


class TraxError(Exception):
    """The root. `what` and `advice` are sentences for the person who dropped the file."""

    code: ClassVar[str] = "error"
    permanent: ClassVar[bool] = True
    default_advice: ClassVar[str] = "See the log of traxd for details."

    def __init__(self, what: str, *, file: str | None = None, advice: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.file = file
        self.advice = advice or self.default_advice

    def __str__(self) -> str:
        where = f"{self.file}: " if self.file else ""
        return f"{where}{self.what} {self.advice}"

    def as_dict(self) -> dict[str, Any]:
        """What crosses the process wall and what `<name>.error.json` shows: code, what, advice, file, permanent."""
        return {
            "code": self.code,
            "what": self.what,
            "advice": self.advice,
            "file": self.file,
            "permanent": self.permanent,
        }


class ConfigError(TraxError):
    """The settings cannot be used. `problems` lists every mistake, one line each."""

    code = "config"
    default_advice = "Correct the settings and start again; `trax-ctl config check` reads them without starting."

    def __init__(self, problems: list[str], *, file: str | None = None) -> None:
        super().__init__("\n".join(problems), file=file)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        heading = f"{len(self.problems)} problem(s) in {self.file or 'the settings'}:"
        return "\n".join([heading, *(f"  - {problem}" for problem in self.problems), self.advice])


class RecordingError(TraxError):
    """This recording cannot be processed, however often it is tried."""

    code = "recording"
    default_advice = "Check the recording and drop it again."


class UnreadableRecording(RecordingError):
    """The file may not be opened, or is a link, a pipe or a device."""

    code = "unreadable"
    default_advice = "Drop a regular file that the trax user may read."


class EmptyRecording(RecordingError):
    """The file has no bytes."""

    code = "empty"
    default_advice = "Copy the recording again: the file has no bytes."


class RecordingTooLarge(RecordingError):
    """The file is over a limit of size or length."""

    code = "too-large"
    default_advice = "Split the recording, or raise the limit in the settings and retry."


class UnsupportedRecording(RecordingError):
    """An extension or container that Trax does not take, or the two disagree."""

    code = "unsupported"
    default_advice = "Convert the recording to one of the formats in the settings, such as .wav or .mp3."


class DamagedRecording(RecordingError):
    """The media library gives up on the file."""

    code = "damaged"
    default_advice = "Export the recording again from its source: the file is cut short or damaged."


class NoAudio(RecordingError):
    """A container without a sound track."""

    code = "no-audio"
    default_advice = "Check that the recording has a sound track."


class ModelError(TraxError):
    """A model is missing, damaged or of the wrong kind."""

    code = "model"
    default_advice = "See `trax-ctl models list`; after mending the models, `trax-ctl retry` the job."


class ModelUnreachable(ModelError):
    """Where a model comes from cannot be reached, or broke off too often."""

    code = "model-unreachable"
    permanent = False
    default_advice = "Check the network and try again: what has come is kept."


class LibraryChanged(ModelError):
    """The build of whisper.cpp that a job was to use is not there any more; the next attempt takes what is."""

    code = "library-changed"
    permanent = False
    default_advice = "Trax tries again by itself."


class EngineError(TraxError):
    """whisper.cpp could not be built for this machine, or what was built is not to be trusted: the one that comes with Trax is used."""

    code = "engine"
    default_advice = "Trax goes on with the whisper.cpp that comes with it."


class WorkerError(TraxError):
    """A worker process failed; another attempt can help."""

    code = "worker"
    permanent = False
    default_advice = "Trax tries again by itself."


class WorkerCrashed(WorkerError):
    """A worker ended by itself, by a signal, or for lack of memory."""

    code = "worker-crashed"


class WorkerOutOfMemory(WorkerError):
    """A worker needed more memory than it is allowed."""

    code = "worker-memory"


class WorkerOutdated(WorkerError):
    """A worker has loaded another build of a library than its task needs; a fresh one can do it."""

    code = "worker-outdated"


class WorkerHung(WorkerError):
    """A worker made no progress for too long and was ended."""

    code = "worker-hung"


class StorageError(TraxError):
    """The disk refused an operation."""

    code = "storage"
    permanent = False
    default_advice = "Check the disk; Trax tries again by itself."


class DiskFull(StorageError):
    """No room is left where something must be written."""

    code = "disk-full"
    default_advice = "Make room on the disk; Trax goes on by itself."


class DiskFailed(TraxError):
    """The disk lost what was written: an fsync failed. No StorageError: what goes on after one of these must not go on after this."""

    code = "disk-failed"
    permanent = False
    default_advice = (
        "What was under way is done again when traxd starts again. First see `journalctl -k` for errors of the disk, and mend it or "
        "replace it."
    )


class TranscriptError(TraxError):
    """The parts of a transcript contradict each other, so it is not published."""

    code = "transcript"
    default_advice = "This is a fault of Trax: please report it with the id of the job."


class LedgerError(TraxError):
    """The ledger cannot be read, or is open for reading only."""

    code = "ledger"
    default_advice = "See `trax-ctl doctor`."


class AlreadyRunning(TraxError):
    """Another daemon works on the same root."""

    code = "already-running"
    permanent = False
    default_advice = "Stop the other one first, or give this one a root of its own."


class JobError(TraxError):
    """What was asked of a job does not fit its state, or there is no such job."""

    code = "job"
    default_advice = "See `trax-ctl status`."


class SpeakerError(TraxError):
    """A voice cannot be enrolled, or nobody of that name is."""

    code = "speaker"
    default_advice = "See `trax-ctl speakers list`."


class ControlError(TraxError):
    """The daemon cannot be reached, refuses, or does not understand."""

    code = "control"
    default_advice = "Is traxd running? See `systemctl status traxd`."


class DaemonAbsent(ControlError):
    """Nobody listens on the daemon's socket."""

    code = "daemon-absent"
    permanent = False
    default_advice = "Start it with `systemctl start traxd`."


class DaemonBusy(ControlError):
    """The daemon is there and did not answer in time."""

    code = "daemon-busy"
    permanent = False
    default_advice = "Try again in a moment; if it stays so, see `journalctl -u traxd`."


class Cancelled(TraxError):
    """Someone asked for the job to end."""

    code = "cancelled"
    default_advice = "`trax-ctl retry` takes the job up again."


def unforeseen(error: BaseException) -> str:
    """An error of no kind of ours in words that may be logged: its type and where it was raised.

    Not what it says of itself: a library may quote what it fell over, and that may be somebody's words. The system's errors quote nothing.
    """
    said = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {'/'.join(Path(frames[-1].filename).parts[-3:])}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{said}{place}"


def _tree(root: type[TraxError]) -> dict[str, type[TraxError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found.update(_tree(child))
    return found


def from_dict(plain: dict[str, Any]) -> TraxError:
    """The error that `as_dict` described; one that is not in the tree comes back as `WorkerError`.

    The dict comes from a child that met hostile bytes, so nothing in it is trusted to be of the right type.
    """
    kind = _tree(TraxError).get(str(plain.get("code")), WorkerError)
    what = str(plain.get("what") or "A worker failed without saying why.")[:2000]
    if kind is ConfigError:
        return ConfigError([what])
    advice, file = plain.get("advice"), plain.get("file")
    return kind(what, file=str(file)[:1000] if file else None, advice=str(advice)[:1000] if advice else None)
