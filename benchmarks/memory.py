"""Peak memory of every process of the daemon for a short and a long recording: it must not grow with the length.

Each length gets a fresh daemon. The kernel keeps each process's peak (VmHWM in /proc/<pid>/status), so that what is read just before a
process ends is its peak, not a sample. QUICK=1 compares 2 and 10 minutes instead of 5 and 60.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
from appliance import Appliance, ApplianceError, read_json
from conversations import long_recording
from goals import report, report_failure
from machine import this_machine
from speech_data import is_quick, librispeech, require_data

from trax.cli.client import ask
from trax.errors import ControlError

_DAEMON = "traxd"
_LANE = "trax.worker.lane"
_LOOK_EVERY_S = 0.1
_START_ALLOWANCE_S = 300.0
_SLOWEST_RTF = 3.0
_FULL_MINUTES = (5, 60)
_QUICK_MINUTES = (2, 10)
_GOALS = {_FULL_MINUTES: "memory_growth_5_to_60_minutes", _QUICK_MINUTES: "memory_growth_2_to_10_minutes"}


def memory_of(status: str) -> tuple[int, int] | None:
    """(VmRSS, VmHWM) in kB from the text of /proc/<pid>/status; None for a process that has given its memory back."""
    fields = {key: value.split() for key, _, value in (line.partition(":") for line in status.splitlines())}
    if "VmRSS" not in fields or "VmHWM" not in fields:
        return None
    return int(fields["VmRSS"][0]), int(fields["VmHWM"][0])


def program_of(command_line: Sequence[str]) -> str | None:
    """The module that `python -m module` runs, such as `trax.worker.decode`, else the command's name; None while there is neither."""
    if "-m" in command_line[:-1]:
        return command_line[command_line.index("-m") + 1]
    return Path(command_line[0]).name if command_line else None


def growth(shorter: Mapping[str, int], longer: Mapping[str, int]) -> dict[str, float]:
    """How much each process's peak differs, in percent of the first. Raises ValueError unless both have the same processes."""
    if shorter.keys() != longer.keys():
        raise ValueError(f"not the same processes: {sorted(shorter)} and {sorted(longer)}")
    return {role: 100 * abs(longer[role] - shorter[role]) / shorter[role] for role in shorter}


class PeakWatch:
    """Looks at the daemon's processes again and again. `peaks`: role → kB; `together`: the most of all at one moment, kB."""

    def __init__(self, appliance: Appliance) -> None:
        self._appliance = appliance
        self._by_process: dict[tuple[str, int], int] = {}
        self._lanes: dict[int, str] = {}
        self.together = 0

    def look(self) -> None:
        """Read the memory of every process that lives now."""
        total = 0
        for process in self._appliance.processes():
            try:
                program = _DAEMON if process.pid == self._appliance.pid else program_of(process.cmdline())
                status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            except (OSError, psutil.Error):
                continue  # it ended between the list and the look
            memory = memory_of(status)
            if memory is None or program is None or program == "trax.service.main":
                continue  # ending, or between fork and exec: still the daemon's own image
            resident, peak = memory
            total += resident
            key = (program, process.pid)
            self._by_process[key] = max(peak, self._by_process.get(key, 0))
            if program == _LANE and process.pid not in self._lanes:
                self._name_lanes()
        self.together = max(self.together, total)

    def _name_lanes(self) -> None:
        try:
            answer = ask(self._appliance.socket, {"command": "status"})
        except ControlError:
            return  # busy or not up yet: the next look asks again
        self._lanes |= {int(worker["pid"]): str(worker["lane"]) for worker in answer["daemon"]["workers"]}

    @property
    def peaks(self) -> dict[str, int]:
        """The peak of each role, kB; where several processes had the role, of the largest."""
        found: dict[str, int] = {}
        for (program, pid), peak in self._by_process.items():
            role = self._lanes.get(pid, program) if program == _LANE else program
            found[role] = max(peak, found.get(role, 0))
        return found


def measure(recording: Path, minutes: float, work: Path) -> PeakWatch:
    """Run one recording through a fresh daemon. Raises ApplianceError when it does not come out whole."""
    seconds = minutes * 60
    with Appliance(work) as appliance:
        watch = PeakWatch(appliance)
        appliance.drop(recording)
        took = appliance.wait_until(
            lambda: bool(appliance.transcripts() or appliance.errors()),
            _START_ALLOWANCE_S + _SLOWEST_RTF * seconds,
            every_s=_LOOK_EVERY_S,
            each=watch.look,
        )
        if errors := appliance.errors():
            raise ApplianceError(f"The {minutes}-minute recording failed: {read_json(next(iter(errors.values())))}")
        answer = read_json(appliance.transcripts()[recording.stem])
        if abs(answer["media"]["duration"] - seconds) > 1:
            raise ApplianceError(f"Of {seconds} s only {answer['media']['duration']} s came out.")
        print(f"{minutes} minutes: done in {took:.0f} s (speed {seconds / took:.1f} x)", file=sys.stderr)
    return watch


def table(shorter: PeakWatch, longer: PeakWatch, minutes: tuple[int, int]) -> str:
    """The peaks of both runs as a Markdown table, MiB."""
    differences = growth(shorter.peaks, longer.peaks)
    rows = [f"| process | peak at {minutes[0]} min, MiB | peak at {minutes[1]} min, MiB | differs by |", "|---|---:|---:|---:|"]
    rows += [
        f"| {role} | {shorter.peaks[role] / 1024:.1f} | {longer.peaks[role] / 1024:.1f} | {difference:.1f} % |"
        for role, difference in sorted(differences.items())
    ]
    rows.append(f"| all at once | {shorter.together / 1024:.1f} | {longer.together / 1024:.1f} | |")
    return "\n".join(rows)


def main() -> int:
    """Measure both lengths, print the table and the goals; returns the exit status."""
    clips = librispeech(require_data())
    minutes = _QUICK_MINUTES if is_quick() else _FULL_MINUTES
    with tempfile.TemporaryDirectory(prefix="trax-memory-") as temporary:
        work = Path(temporary)
        watches = []
        for length in minutes:
            recording = work / f"recording-{length}.wav"
            long_recording(recording, length, clips)
            try:
                watches.append(measure(recording, length, work / f"root-{length}"))
            except ApplianceError as error:
                return report_failure("memory", str(error))
    shorter, longer = watches
    print(f"machine: {this_machine()}\n")
    print(table(shorter, longer, minutes) + "\n")
    skipped = {name: "other-form-of-QUICK" for form, name in _GOALS.items() if form != minutes}
    return report("memory", {_GOALS[minutes]: max(growth(shorter.peaks, longer.peaks).values())}, skipped)


if __name__ == "__main__":
    raise SystemExit(main())
