"""Peak memory of every process of the daemon, as the kernel keeps it (VmHWM in /proc/<pid>/status): no sample, but the peak itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psutil
from appliance import Appliance

from trax.cli.client import ask
from trax.errors import ControlError

_DAEMON = "traxd"
_LANE = "trax.worker.lane"


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
