"""One recording to be transcribed in many roots, each time with another mishap; then Trax is started again, and its outcome judged."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import queue
import shutil
import signal
import sys
import wave
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from appliance import Appliance, ApplianceError

from attacks.aftermath import examine
from attacks.disk import Cut, Event, Image, power_cuts
from attacks.observed import SYNCS, read_history
from attacks.rehearsal import SETTINGS, Stage
from trax.jobs.ledger import Ledger
from trax.jobs.seen import Seen

#: Where the recording is dropped.
RECORDING = "inbox/talk.wav"
_SIDE_BY_SIDE = 2
_OBSERVED = Path(__file__).with_name("observed.py")
_PATIENCE_S = 120.0
#: What the log of a daemon says that the disk failed.
_TELLING = ("CRITICAL", "traxd stops: ", "The disk did not keep what was written: Input/output error.", "journalctl -k")

_T = TypeVar("_T")


class Scene:
    """The recording, what the engines made of it in earnest, and stages on which to try it: a context manager."""

    def __init__(self, clip: Path, work: Path) -> None:
        #: What is there to begin with: path relative to the root → bytes, a folder's ending in a slash.
        self.dropped = {RECORDING: clip.read_bytes(), "outbox/": b""}
        self._clip = clip
        self._work = work
        self._numbers = itertools.count()
        self._made = work / "made"
        self._always: dict[str, Any] = {}
        self._free: queue.SimpleQueue[Stage] = queue.SimpleQueue()
        self._stages = contextlib.ExitStack()
        root = self._fresh()
        with Appliance(root, SETTINGS) as daemon:
            daemon.wait_until(lambda: _is_over(root), _PATIENCE_S)
        self._expected = _subtitles(root)
        (archived,) = (root / "state" / "archive").iterdir()
        shutil.copytree(archived, self._made)
        with wave.open(str(clip)) as sound:  # it is what it is decoded to; the archive does not keep that
            (self._made / "pcm.raw").write_bytes(sound.readframes(sound.getnframes()))

    def __enter__(self) -> Self:
        for _ in range(_SIDE_BY_SIDE):
            self._free.put(self._stages.enter_context(Stage(self._made)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stages.close()

    def move_inbox(self) -> None:
        """From now on the inbox is a file system of its own."""
        self._always["inbox_is_mount"] = True

    def history(self) -> list[Event]:
        """The durable operations of the whole job, from the first start of the daemon to the recording in the archive."""
        root = self._fresh()
        file = root.with_suffix(".history")
        if self._run(root, history=str(file)) != 0:
            raise ApplianceError(f"The job does not even end undisturbed.\n{_log(root)}")
        return read_history(file)

    def each(self, mishap: Callable[[_T], Iterable[str]], points: Iterable[_T]) -> Iterator[str]:
        """What is wrong after the mishap at each of the points."""
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as side_by_side:
            for found in side_by_side.map(lambda point: list(mishap(point)), points):
                yield from found

    def end(self, point: int) -> Iterator[str]:
        """The process is ended before an operation."""
        root = self._fresh()
        status = self._run(root, end_before=point)
        yield from self._judged(root, f"Ended before operation {point}", *_if(status != -signal.SIGKILL, f"it ended with {status} instead"))

    def cut(self, cut: Cut) -> Iterator[str]:
        """The power is cut."""
        root = self._fresh()
        self._lay_out(cut.image, root)
        yield from self._judged(root, f"Power cut before operation {cut.number}, taking {cut.loss}")

    def refuse(self, point: int) -> Iterator[str]:
        """A sync fails."""
        root = self._fresh()
        file = root.with_suffix(".history")
        status = self._run(root, fail_sync=point, history=str(file))
        yield from self._judged(root, f"Sync {point} failed", *_untold(status, _log(root)), *self._false_word(_log(root), file))

    def end_twice(self, points: tuple[int, int]) -> Iterator[str]:
        """The process is ended, started again and ended again; then either it is only started again, or the power was cut as well."""
        root, history = self._fresh(), []
        for number, point in enumerate(points):
            file = root.with_suffix(f".history-{number}")
            self._run(root, end_before=point, history=str(file))
            history += read_history(file)
        what = "Ended before operation {} and again before operation {} of recovery".format(*points)
        for cut in power_cuts(self.dropped, history, first=len(history) + 1):
            after = self._fresh()
            self._lay_out(cut.image, after)
            yield from self._judged(after, f"{what}, then a power cut taking {cut.loss}")
        yield from self._judged(root, what)

    def real_points(self) -> tuple[int, int]:
        """How many durable operations the daemon itself does for the job with real engines, and how many of them are syncs."""
        status, log, file = self._run_really(self._fresh())
        if status != 0:
            raise ApplianceError(f"The job does not even end undisturbed.\n{log}")
        events = read_history(file)
        return len(events), sum(event.operation in SYNCS for event in events)

    def really(self, how: str, point: int) -> tuple[bool, list[str]]:
        """The same with real engines, `how` being a field of `observed.Point`: whether the run came to that point, and what is wrong."""
        root = self._fresh()
        status, log, file = self._run_really(root, **{how: point})
        wrong = []
        if status and how == "fail_sync":
            wrong = [*_untold(status, log), *self._false_word(log, file)]
        elif status:
            wrong = _if(status != -signal.SIGKILL, f"it ended with {status} instead")
        with Appliance(root, SETTINGS) as daemon, contextlib.suppress(ApplianceError):
            daemon.wait_until(lambda: _is_over(root), _PATIENCE_S)
        return status != 0, [f"Real engines, {how} {point}: {each}" for each in [*wrong, *self._wrong(root)]]

    def _run_really(self, root: Path, **point: int) -> tuple[int, str, Path]:
        """Exit status, log and history of an observed daemon."""
        file = root.with_suffix(".history")
        arguments = json.dumps({**point, "history": str(file)})
        observed = Appliance(root, SETTINGS, command=(sys.executable, _OBSERVED, root, arguments))
        with observed, contextlib.suppress(ApplianceError):
            observed.wait_until(lambda: _is_over(root), _PATIENCE_S)
        return observed.wait(0), observed.log_tail(), file

    def _judged(self, root: Path, what: str, *wrong: str) -> Iterator[str]:
        """Start the daemon again, undisturbed, and tell what is wrong once the job is done."""
        status = self._run(root)
        ending = _if(status != 0, f"the daemon started again ended with {status}: {_log(root)}")
        yield from (f"{what}: {each}" for each in [*wrong, *ending, *self._wrong(root)])
        shutil.rmtree(root)

    def _wrong(self, root: Path) -> list[str]:
        """Every way in which there is not exactly one outcome."""
        wrong = list(examine(root, {hashlib.sha256(self._clip.read_bytes()).hexdigest(): "talk"}).violations)
        folder = root / "state" / "ledger"
        ledger, seen = Ledger.read_only(folder), Seen(folder / "seen.log")
        found = [(job.status.value, seen.find(job.media_id) == job.id) for job in ledger.everything()]
        if found != [("completed", True)]:
            wrong.append(f"The jobs are, with whether seen.log knows them: {found}.")
        if ledger.damaged or seen.needs_rebuild:
            wrong.append(f"The ledger is damaged: {ledger.damaged}.")
        if _subtitles(root) != self._expected:
            wrong.append(f"The subtitles are not those of a run undisturbed: {sorted(_subtitles(root))}.")
        copies = [path for path in root.rglob("*") if path.is_file() and path.read_bytes() == self._clip.read_bytes()]
        if len(copies) != 1:
            wrong.append(f"The recording is in {len(copies)} places.")
        return wrong

    def _false_word(self, log: str, history: Path) -> Iterator[str]:
        """Whether the log calls the job completed that a power cut now would make unfinished."""
        if "completed in" not in log:
            return
        events = read_history(history)
        for cut in power_cuts(self.dropped, events, first=len(events) + 1):
            ledger = [each.data or b"" for path, each in cut.image.items() if "/ledger-" in path]
            if "outbox/talk.json" not in cut.image or not any(b'"completed"' in data for data in ledger):
                yield f"its log says that the job is completed, and a power cut taking {cut.loss} would take that back"

    def _run(self, root: Path, **point: Any) -> int | None:  # noqa: ANN401 - the fields of observed.Point
        stage = self._free.get()
        try:
            return stage.run(root, **self._always, **point)
        finally:
            self._free.put(stage)

    def _fresh(self) -> Path:
        root = self._work / f"root-{next(self._numbers)}"
        for folder in ("inbox", "outbox"):
            (root / folder).mkdir(parents=True)
        shutil.copy2(self._clip, root / RECORDING)
        return root

    def _lay_out(self, image: Image, root: Path) -> None:
        """Make `root` what the disk held."""
        shutil.rmtree(root)
        root.mkdir()
        nodes: dict[int, Path] = {}
        dropped = self._clip.stat().st_mtime_ns
        for relative, remains in image.items():
            path = root / relative
            if remains.node in nodes:
                path.hardlink_to(nodes[remains.node])
            elif remains.target is not None:
                path.symlink_to(remains.target)
            elif remains.data is None:
                path.mkdir()
            else:
                path.write_bytes(remains.data)
                os.utime(path, ns=(dropped, remains.modified or dropped))
                nodes[remains.node] = path


def _untold(status: int | None, log: str) -> list[str]:
    """What is wrong about the end of a daemon whose disk failed."""
    silent = [f"its log does not say {words!r}" for words in _TELLING if words not in log]
    return [
        *_if(status != 1, f"the daemon ended with {status} instead of 1"),
        *silent,
    ]


def _if(is_so: bool, sentence: str) -> list[str]:  # noqa: FBT001 - a sentence under a condition
    return [sentence] if is_so else []


def _subtitles(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "outbox").iterdir() if path.suffix in {".srt", ".vtt"}}


def _is_over(root: Path) -> bool:
    archived = [*(root / "state" / "archive").glob("*/source")]
    return bool(archived) and not any((root / "state" / "work").iterdir())


def _log(root: Path) -> str:
    log = root.with_suffix(".log")
    return log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else ""
