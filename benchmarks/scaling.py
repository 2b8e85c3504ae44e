"""Wall time and memory over the length of a recording, through the whole path: time must grow in proportion, memory hardly at all.

Digits in conversation, decoded, searched for voices, heard by both digits models, told apart by speaker, and written; a shorter recording
is the beginning of a longer one. Each length gets a fresh daemon. QUICK=1 takes 1 and 10 minutes instead of 1, 10, 60 and 240;
`--minutes` chooses.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance import Appliance, ApplianceError, read_json
from digit_recordings import CONVERSATION, write_recording
from goals import report, report_failure
from machine import this_machine
from peaks import PeakWatch
from speech_data import SAMPLE_RATE, is_quick, open_wav, require_data

_LOOK_EVERY_S = 0.1
_START_ALLOWANCE_S = 300.0
_SLOWEST_RTF = 3.0
_FULL_MINUTES, _QUICK_MINUTES = (1, 10, 60, 240), (1, 10)
#: The length (minutes) that the longer ones are measured against; QUICK=1: the shorter.
_BASE = 10
_BLOCK_S = 600.0  # of conversation, which long recordings repeat
_SETTINGS = {"asr": {"fast_model": "digits-fast", "refine_model": "digits"}, "stages": {"refine": True}, "intake": {"max_size_mb": 2000.0}}


@dataclass(frozen=True, slots=True)
class Run:
    """What a recording of so many minutes took: seconds, the peak of each process and of all at one moment (kB), and its words."""

    minutes: int
    seconds: float
    peaks: Mapping[str, int]
    together: int
    words: int

    @property
    def seconds_a_minute(self) -> float:
        """Of the clock, for a minute of recording."""
        return self.seconds / self.minutes


def write_conversation(block: Path, path: Path, minutes: float) -> None:
    """Write a WAV of exactly `minutes`, a piece at a time: the samples of `block` (raw), again and again."""
    left = round(minutes * 60 * SAMPLE_RATE) * 2
    samples = block.read_bytes()
    with open_wav(path) as wav:
        for piece in itertools.repeat(samples):
            wav.writeframesraw(piece[:left])
            left -= min(left, len(piece))
            if not left:
                return


def measure(recording: Path, minutes: int, work: Path) -> Run:
    """Run one recording through a fresh daemon. Raises ApplianceError when it does not come out whole."""
    seconds = minutes * 60
    with Appliance(work, _SETTINGS) as appliance:
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
        if not answer["models"].get("refine"):
            raise ApplianceError("There was no second pass.")
        print(f"{minutes} minutes: done in {took:.0f} s (speed {seconds / took:.1f} x)", file=sys.stderr)
        return Run(minutes, took, watch.peaks, watch.together, int(answer["word_count"]))


def growth(base: Run, longer: Run) -> float:
    """How many times the memory of the base the longer one takes, the peaks of all processes added up.

    Raises ValueError unless both have the same processes.
    """
    if base.peaks.keys() != longer.peaks.keys():
        raise ValueError(f"not the same processes: {sorted(base.peaks)} and {sorted(longer.peaks)}")
    return sum(longer.peaks.values()) / sum(base.peaks.values())


def table(runs: Sequence[Run]) -> str:
    """Time, words and the peaks (MiB) of every run, as a Markdown table."""

    def row(name: str, values: Sequence[str]) -> str:
        return f"| {name} | {' | '.join(values)} |"

    roles = sorted({role for run in runs for role in run.peaks})
    return "\n".join(
        [
            row("", [f"{run.minutes} min" for run in runs]),
            f"|---|{'---:|' * len(runs)}",
            row("wall time, s", [f"{run.seconds:.0f}" for run in runs]),
            row("wall time for a minute of recording, s", [f"{run.seconds_a_minute:.2f}" for run in runs]),
            row("words", [str(run.words) for run in runs]),
            *(row(f"peak of {role}, MiB", [f"{run.peaks.get(role, 0) / 1024:.0f}" for run in runs]) for role in roles),
            row("all peaks added up, MiB", [f"{sum(run.peaks.values()) / 1024:.0f}" for run in runs]),
            row("most at one moment, MiB", [f"{run.together / 1024:.0f}" for run in runs]),
        ]
    )


def goal_values(runs: Sequence[Run]) -> tuple[dict[str, float], dict[str, str]]:
    """The values of the goals, and those that are skipped and why: the longest run against that of ten minutes, in the quick form one."""
    longest = runs[-1]
    base = next((run for run in runs[:-1] if run.minutes == min(_BASE, runs[-2].minutes)), runs[0])
    values = {
        f"scaling_{what}_{longest.minutes}_over_{base.minutes}_minutes": value
        for what, value in (("memory", growth(base, longest)), ("time", longest.seconds_a_minute / base.seconds_a_minute))
    }
    known = [f"scaling_{what}_{pair}_minutes" for pair in ("240_over_10", "10_over_1") for what in ("memory", "time")]
    return {name: value for name, value in values.items() if name in known}, {
        name: "other-lengths" for name in known if name not in values
    }


def main() -> int:
    """Measure every length, print the table and the goals; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = _QUICK_MINUTES if is_quick() else _FULL_MINUTES
    parser.add_argument("--minutes", type=int, nargs="+", default=default, help="two lengths or more, ascending")
    asked = sorted(set(parser.parse_args().minutes))
    data, runs = require_data(), list[Run]()
    with tempfile.TemporaryDirectory(prefix="trax-scaling-") as temporary:
        work = Path(temporary)
        block = write_recording(data, "block", _BLOCK_S, CONVERSATION, work).file
        raw = work / "block.raw"
        raw.write_bytes(block.read_bytes()[44:])  # what follows the header of a WAV file as we write it
        for minutes in asked:
            recording = work / f"recording-{minutes}.wav"
            write_conversation(raw, recording, minutes)
            try:
                runs.append(measure(recording, minutes, work / f"root-{minutes}"))
            except ApplianceError as error:
                return report_failure("scaling", str(error))
            recording.unlink()
    print(f"machine: {this_machine()}\n\n{table(runs)}\n")
    return report("scaling", *goal_values(runs)) if len(runs) > 1 else 0


if __name__ == "__main__":
    raise SystemExit(main())
