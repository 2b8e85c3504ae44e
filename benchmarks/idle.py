"""What an idle daemon takes, and how soon work begins once a file has settled.

The daemon transcribes one short clip, its workers are let go, and then its CPU time and memory are read for a minute. The delay is
from the file's last change plus the settle time to the start of its job, as the ledger has it; of several clips, the worst.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import psutil
from appliance import Appliance, ApplianceError, read_json
from goals import report, report_failure
from machine import this_machine
from speech_data import require_data, short_clips

_MINUTE_S = 60.0
_CLIPS = 5
_SETTLE_S = 1.0
_WORKER_IDLE_S = 2.0
_TIMEOUT_S = 120.0
_SETTINGS = {"intake": {"settle_seconds": _SETTLE_S}, "workers": {"idle_seconds": _WORKER_IDLE_S}}


def worst_delay(appliance: Appliance, clips: tuple[Path, ...]) -> float:
    """Drop clips one after the other; the longest time, in seconds, from settled to started."""
    return max(_delay(appliance, clip) for clip in clips)


def _delay(appliance: Appliance, clip: Path) -> float:
    appliance.drop(clip)
    settled = time.time() + _SETTLE_S
    appliance.wait_until(lambda: clip.stem in appliance.transcripts(), _TIMEOUT_S)
    return float(read_json(appliance.transcripts()[clip.stem])["run"]["started"]) - settled


def idle(appliance: Appliance) -> tuple[float, float]:
    """CPU in percent of a core over a minute, and resident memory in MB, of the daemon once its workers are gone."""
    appliance.wait_until(lambda: len(appliance.processes()) == 1, _TIMEOUT_S)
    daemon = psutil.Process(appliance.pid)
    before = daemon.cpu_times()
    time.sleep(_MINUTE_S)
    after = daemon.cpu_times()
    used = after.user + after.system - before.user - before.system
    return 100 * used / _MINUTE_S, daemon.memory_info().rss / 1e6


def main() -> int:
    """Measure, print the figures and the goals; returns the exit status."""
    data = require_data()
    with tempfile.TemporaryDirectory(prefix="trax-idle-") as work:
        try:
            with Appliance(Path(work) / "root", _SETTINGS) as appliance:
                delay = worst_delay(appliance, tuple(short_clips(data, _CLIPS)))
                cpu, memory = idle(appliance)
        except ApplianceError as error:
            return report_failure("idle", str(error))
    print(f"machine: {this_machine()}\n")
    print(f"idle daemon: {cpu:.2f} % of a core, {memory:.0f} MB; work began {delay:.2f} s after settling at the latest\n", file=sys.stderr)
    return report("idle", {"idle_cpu_percent": cpu, "idle_memory_mb": memory, "settled_to_started_s": delay})


if __name__ == "__main__":
    raise SystemExit(main())
