"""Links and special files: what leads out of the inbox, or is no file, is never opened, whenever it takes a recording's place."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from appliance import Appliance, ApplianceError, read_json
from asyncinotify import Inotify, Mask

from attacks import Findings, Size
from attacks.clips import speech_clips
from attacks.in_flight import swaps_in_flight
from attacks.swapper import POOL, Swapper

_PATIENCE_S = 240.0
_MARK = b"CANARY-4f1c0a7e-do-not-read"
_SETTINGS = {
    "intake": {"settle_seconds": 0.1, "rescan_seconds": 1.0},
    "stages": {"diarize": False},
    "output": {"formats": ["json", "srt"]},
}


def attack(size: Size, work: Path) -> Findings:
    """See the module."""
    swaps = size.pick(10_000, 600, 60)
    exact = size.pick(10_000, 2_000, 200)
    clips = speech_clips(work / "clips", size.pick(20, 6, 2) + 1, seed=size.seed)
    violations, told, seconds = _swapped(work / "swapped", clips, swaps)
    violations += _still(work / "still", clips[0])
    done = 0
    for parent in (None, _other_mount(work)):
        if parent is None or parent.is_dir():
            with tempfile.TemporaryDirectory(dir=parent or work) as inbox:
                found, count = swaps_in_flight(Path(inbox), work / f"exact-{parent is None}", exact // 2, _MARK)
                violations += found
                done += count
    tried = (
        f"A hostile process made {told['swaps']:,} swaps (renameat2) between the daemon's look at a file and its claim, the file by turns "
        f"for a {', a '.join(told['kinds'])}; {len(clips) - 1} recordings were dropped meanwhile. Further {done:,} swaps fell exactly "
        "between check and rename, on the same mount and on another. All kinds were also left lying. inotify watched whether a canary, "
        "a pipe, a device or the folder outside was ever opened."
    )
    return Findings(tried, tuple(violations), (f"{told['swaps'] / max(seconds, 0.001):.0f} swaps a second between look and claim",))


def _other_mount(work: Path) -> Path | None:
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and memory.stat().st_dev != work.stat().st_dev else None


def _canary(folder: Path, clip: Path) -> tuple[Path, Path]:
    """A recording that nobody gave to Trax, and a folder with one that is called as those in the inbox are."""
    outside = folder / "outside"
    outside.mkdir(parents=True)
    canary = folder / "canary.wav"
    for path in (canary, outside / "talk.wav"):
        path.write_bytes(clip.read_bytes() + _MARK)
    return canary, outside


@contextlib.contextmanager
def _watched(violations: list[str], canary: Path, *others: Path) -> Iterator[None]:
    """Whatever opens one of these, by whatever name, is a violation.

    Somebody else on this machine may search through all files meanwhile: they open the decoy beside, to which no link leads, as often.
    """
    decoy = canary.with_name("decoy")
    decoy.mkdir()
    with Inotify(sync_timeout=0) as inotify:
        for path in (decoy, canary, *others):
            inotify.add_watch(path, Mask.OPEN | Mask.ACCESS | Mask.MODIFY | Mask.DONT_FOLLOW)
        yield
        events = [event for event in iter(inotify.sync_get, None) if event.watch is not None and event.mask & Mask.OPEN]
    opened = Counter(str(event.watch.path.name) for event in events if event.watch is not None)
    strangers = opened.pop("decoy", 0)
    violations += [f"{name} was opened {count} times" for name, count in sorted(opened.items()) if count > strangers]


def _swapped(root: Path, clips: tuple[Path, ...], swaps: int) -> tuple[list[str], dict[str, Any], float]:
    """Violations, what the swapper told, and the seconds it took."""
    violations: list[str] = []
    canary, outside = _canary(root.with_name("swapped-outside"), clips[-1])
    with Appliance(root, _SETTINGS) as trax, _watched(violations, canary, outside, outside / "talk.wav"):
        trax.wait_until(trax.socket.exists, _PATIENCE_S)
        command = [sys.executable, "-m", "attacks.swapper", *map(str, (trax.inbox, canary, outside, swaps))]
        began = time.monotonic()
        with subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True) as hostile:
            try:
                honest = _drop_meanwhile(trax, clips[:-1], hostile)
                with contextlib.suppress(ApplianceError):
                    trax.wait_until(lambda: hostile.poll() is not None, max(_PATIENCE_S, swaps / 3))
            finally:
                hostile.terminate()
            told = json.loads(hostile.communicate()[0])
        seconds = time.monotonic() - began
        violations += _answered(trax, honest)
    if told["swaps"] < swaps:
        violations.append(f"only {told['swaps']} of {swaps} swaps could be made: the daemon no longer looked at the files")
    violations += _traces(root, _MARK)
    return violations, told, seconds


def _drop_meanwhile(trax: Appliance, clips: tuple[Path, ...], hostile: subprocess.Popen[str]) -> list[str]:
    names = []
    for number, clip in enumerate(clips):
        if hostile.poll() is None:
            time.sleep(0.3)
        names.append(f"honest-{number}")
        trax.drop(clip, f"honest-{number}.wav")
    return names


def _answered(trax: Appliance, honest: list[str]) -> list[str]:
    def left() -> list[str]:
        return [path.name for path in trax.inbox.iterdir() if not (path.name.startswith(".") or _is_folder(path))]

    try:
        trax.wait_until(lambda: set(honest) <= set(trax.transcripts()) and not left(), _PATIENCE_S)
    except ApplianceError as error:
        missing = sorted(set(honest) - set(trax.transcripts()))
        return [f"not answered: {missing + left()}. {error}"]
    return [f"{name}.json was made of what is no recording" for name in trax.transcripts() if not name.startswith("honest")]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _still(root: Path, clip: Path) -> list[str]:
    """Every kind left lying in the inbox: each is answered, none is opened."""
    violations: list[str] = []
    canary, outside = _canary(root.with_name("still-outside"), clip)
    inbox = root / "inbox"
    inbox.mkdir(parents=True)
    swapper = Swapper(inbox, canary, outside)
    names = []
    for _ in swapper.kinds:
        name = swapper.lay()
        (inbox / POOL / name).rename(inbox / f"left-{name.removesuffix('.wav')}.wav")
        names.append(f"left-{name.removesuffix('.wav')}")
    specials = [path for name in names if not ((path := inbox / f"{name}.wav").is_symlink() or path.is_dir())]
    folders = {name for name in names if _is_folder(inbox / f"{name}.wav")}
    (inbox / "dangling.wav").symlink_to(root / "nowhere")
    with _watched(violations, canary, outside, outside / "talk.wav", *specials), Appliance(root, _SETTINGS) as trax:
        wanted = {*names, "dangling"} - folders
        try:
            trax.wait_until(lambda: wanted <= set(trax.errors()), _PATIENCE_S)
        except ApplianceError as error:
            return [*violations, f"not answered: {sorted(wanted - set(trax.errors()))}. {error}"]
        codes = {name: read_json(trax.errors()[name])["code"] for name in wanted}
    violations += [f"{name} was refused as {code}" for name, code in codes.items() if code != "unreadable"]
    return violations + _traces(root, _MARK)


def _traces(root: Path, mark: bytes) -> list[str]:
    """Copies of the canary in what Trax keeps or gives out. Hard links to it that were set aside, unopened, are none."""
    walked = (Path(folder) / name for part in ("state", "outbox") for folder, _, names in os.walk(root / part) for name in names)
    own = (path for path in walked if path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1)
    return [f"{path.relative_to(root)} holds the canary" for path in own if mark in path.read_bytes()]
