"""The daemon under torture: recordings dropped over time while it, a worker or the decoder is killed, and the outbox watched all the while.

Blows are spread over the recordings, so that neither comes to an end long before the other, and drawn from a seed: whom, and when; also
so soon after a start that recovery itself is hit. What is wrong when it is looked at is kept in `violations`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from appliance import Appliance, trax_ctl

from trax.errors import TraxError
from trax.jobs.ledger import Ledger

SETTINGS = {
    "intake": {"settle_seconds": 0.4, "rescan_seconds": 3.0},
    "retries": {"first_delay_seconds": 3.0, "max_delay_seconds": 10.0},
    "output": {"formats": ["json", "srt", "vtt"]},
}
_PATIENCE_S = 100.0
#: Recordings that are dropped and not answered yet, and how many are dropped ahead of the blows.
_AHEAD = 8
#: One recording of so many is written into the inbox piece by piece.
_SLOW_EVERY = 7
#: Without an answer for so long the next blow falls all the same.
_LULL_S = 6.0
#: Whom the blows hit, and of how many one hits whom: what kills the daemon is what recovery is for.
_VICTIMS = {"daemon": 2, "worker": 1, "decoder": 1}
_MODULES = {"worker": "trax.worker.lane", "decoder": "trax.worker.decode"}


class Torture:
    """One daemon over `root`, to which `clips` are dropped and `kills` blows dealt."""

    def __init__(self, root: Path, clips: Sequence[Path], kills: int, seed: int) -> None:
        self.appliance = Appliance(root, SETTINGS)
        self.dropped: dict[str, str] = {}  # SHA-256 → name
        self.killed: Counter[str] = Counter()
        self.early = 0
        self.readings = 0
        self.violations: list[str] = []
        self._ledger = root / "state" / "ledger"
        self._clips = list(clips)
        self._kills = kills
        self._random = random.Random(seed)
        self._allowed = min(_AHEAD, len(clips))
        self._slow: list[Iterator[None]] = []
        self._answers: dict[str, tuple[int, int]] = {}

    def run(self) -> None:
        """Drop all and deal all blows, until every recording is answered; then stop the daemon in good order."""
        total = len(self._clips)
        with self.appliance:
            self._wait_until_it_answers()
            while (blow := self.killed.total()) < self._kills:
                self._allowed = min(total, _AHEAD + (blow + 1) * total // self._kills)
                self._go_on(self._random.uniform(0.0, 4.0), answers=(blow - 1) * total // self._kills)
                self._strike(self._random.choices(list(_VICTIMS), list(_VICTIMS.values()))[0])
            self._allowed = total
            self.appliance.wait_until(self._is_done, _PATIENCE_S + 10.0 * total, each=self._look, every_s=0.05)
            if self.appliance.stop() != 0:
                self.violations.append("The daemon, asked to stop, did not end in good order.")
        self._watch_outbox()

    def _go_on(self, seconds: float, answers: int) -> None:
        """Let the daemon work for so long, and on until there are so many answers or a lull."""
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds or (passed < _LULL_S and len(self._answers) < answers):
            self._look()
            time.sleep(0.03)

    def _is_done(self) -> bool:
        work = self.appliance.root / "state" / "work"
        return len(self._answers) >= len(self.dropped) == len(self._clips) and not self._slow and not any(work.iterdir())

    def _look(self) -> None:
        """Drop what may be dropped by now, copy on what is being copied, and look into the outbox."""
        while len(self.dropped) < self._allowed and len(self.dropped) - len(self._answers) < _AHEAD:
            self._drop(self._clips[len(self.dropped)])
        self._slow = [copy for copy in self._slow if next(copy, self) is None]
        self._watch_outbox()

    def _drop(self, clip: Path) -> None:
        self.dropped[hashlib.sha256(clip.read_bytes()).hexdigest()] = clip.stem
        if len(self.dropped) % _SLOW_EVERY == 0:
            self._slow.append(self._copy_slowly(clip))
            return
        # within the inbox, by the kind of name that waits there for a rename: the inbox may be a mount of its own
        staged = self.appliance.inbox / f"{clip.name}.part"
        shutil.copyfile(clip, staged)
        staged.rename(self.appliance.inbox / clip.name)

    def _copy_slowly(self, clip: Path) -> Iterator[None]:
        """Write the clip in eight pieces, some further apart than the settle time; to be asked again and again until it is done."""
        content = clip.read_bytes()
        piece = -(-len(content) // 8)
        with (self.appliance.inbox / clip.name).open("wb", buffering=0) as target:
            for start in range(0, len(content), piece):
                target.write(content[start : start + piece])
                due = time.monotonic() + self._random.uniform(0.0, 0.8)
                while time.monotonic() < due:
                    yield None

    def _watch_outbox(self) -> None:
        """Every JSON that shows must be whole, and what it names lie beside it."""
        for path in self.appliance.outbox.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # of a run that was ended before its end was known: it takes its answer back
                status = path.stat()
                if self._answers.get(path.name) != (status.st_ino, status.st_mtime_ns):
                    wrong = wrong_with(path)
                    if path.stat().st_ino == status.st_ino:
                        self._answers[path.name] = status.st_ino, status.st_mtime_ns
                        self.violations += wrong

    def _strike(self, victim: str) -> None:
        found = self.appliance.pid if victim == "daemon" else self._find(victim)
        if found is None:  # no decoder came along in time: nobody is spared for that
            victim, found = "daemon", self.appliance.pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(found, signal.SIGKILL)
            self.killed[victim] += 1
        if victim == "daemon":
            self._start_again()

    def _find(self, victim: str) -> int | None:
        """A process of this kind, waited for a while: decoders live shortly. One of a daemon that has just died is none of ours."""
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            pids: list[int] = []
            for process in self.appliance.processes()[1:]:
                with contextlib.suppress(psutil.Error):
                    if _MODULES[victim] in process.cmdline():
                        pids.append(process.pid)
            if pids:
                return self._random.choice(pids)
            self._look()
        return None

    def _start_again(self) -> None:
        """Start the daemon; one time in three it is killed again before it is ready, at any moment from the first on."""
        while True:
            family = self.appliance.processes()
            self.appliance.wait(_PATIENCE_S)
            if psutil.wait_procs(family, timeout=_PATIENCE_S)[1]:
                self.violations.append("A worker outlived the daemon that was killed.")
            self._read_ledger("after a kill")
            self.appliance.__enter__()
            if self.killed.total() >= self._kills or self._random.random() > 1 / 3:
                break
            until = time.monotonic() + self._random.uniform(0.0, 1.0)
            while time.monotonic() < until:
                self._read_ledger("while the daemon starts")
                time.sleep(0.02)
            os.kill(self.appliance.pid, signal.SIGKILL)
            self.killed["daemon"] += 1
            self.early += 1
        self._read_ledger("while the daemon starts")
        self._ask_for_status()
        self._wait_until_it_answers()

    def _read_ledger(self, when: str) -> None:
        self.readings += 1
        try:
            damaged = Ledger.read_only(self._ledger).damaged
        except TraxError as error:
            self.violations.append(f"The ledger cannot be read {when}: {error}")
        else:
            self.violations += [f"{path} is damaged {when}." for path in damaged]

    def _ask_for_status(self) -> None:
        self.readings += 1
        command = trax_ctl(self.appliance.root, "--json", "status")
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
        try:
            if told.returncode == 0 and "counts" in json.loads(told.stdout):
                return
        except ValueError:
            pass
        self.violations.append(f"trax-ctl status after a restart ended with {told.returncode}: {told.stderr or told.stdout}")

    def _wait_until_it_answers(self) -> None:
        self.appliance.wait_until(self.appliance.answers, _PATIENCE_S, each=self._look, every_s=0.05)


def wrong_with(path: Path) -> list[str]:
    """What is wrong with an answer in the outbox. Raises FileNotFoundError when the answer is gone."""
    try:
        answer = json.loads(path.read_bytes())
        if path.name.endswith(".error.json"):
            return [] if answer["code"] else [f"{path.name} gives no reason."]
        beside = {ending: path.with_suffix(f".{ending}") for ending in ("srt", "vtt")}
        lacking = [each.name for each in beside.values() if not each.exists()]
        halves = [
            each.name
            for ending, each in beside.items()
            if each.exists() and hashlib.sha256(each.read_bytes()).hexdigest() != answer["checksums"][ending]
        ]
        path.stat()  # taken back meanwhile, with what lay beside it?
    except (ValueError, KeyError, TypeError) as error:
        return [f"{path.name} is not whole: {error!r}."]
    return [f"{path.name} is there without {name}." for name in lacking] + [f"{name} is not what its JSON says." for name in halves]
