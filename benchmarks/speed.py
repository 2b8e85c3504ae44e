"""Trax beside its peers: the same recordings, the same weights, two threads each, every peer at its best, in rounds that take turns.

All are greedy, are told the language, hear at one temperature only, and have heard a little before they are timed. Loading is timed apart.
Of several ways to use a peer (batch sizes) the first round tries all and the later ones take the fastest. QUICK=1: a minute at the smallest
dimensions, once. `python benchmarks/speed.py --sizes tiny.en --minutes 1 --rounds 1` chooses otherwise; `make bench` runs it as it is.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
from digit_recordings import CONVERSATION, DENSE, Recording, write_recording
from goals import report
from machine import this_machine
from page_sections import write_section
from peers.roster import (
    FASTER_WHISPER,
    FASTER_WHISPER_BATCHED,
    PEERS,
    PYWHISPERCPP,
    TRAX,
    TRAX_BUILT,
    Peer,
    Run,
    RunError,
    model_files,
    run,
)
from speech_data import REPOSITORY, is_quick, require_data

#: The dimensions of the catalogue's default pair's first model, which the goals on seconds are about.
_DEFAULT = "distil-small.en"
_SIZES, _QUICK_SIZES = ("tiny.en", "base.en", _DEFAULT, "small.en"), ("tiny.en",)
MODEL = REPOSITORY / "models" / "ggml-digits-q8_0.bin"
_FIVE_MINUTES = 300.0
#: The recordings, with the share of each that is silence.
_SILENCE = {"conversation": CONVERSATION, "dense speech": DENSE}
WORD = re.compile(r"[a-z']+")


@dataclass(frozen=True, slots=True)
class Result:
    """All runs of a peer on one recording, or why there are none."""

    peer: Peer
    recording: Recording
    runs: tuple[Run, ...]
    way: tuple[str, ...] = ()
    failure: str = ""

    @property
    def hear_s(self) -> float:
        """Seconds to hear the recording: the median."""
        return statistics.median(each.hear_s for each in self.runs)

    @property
    def load_s(self) -> float:
        """Seconds to load: the median."""
        return statistics.median(each.load_s for each in self.runs)

    @property
    def words(self) -> list[str]:
        """What was heard; all runs hear the same unless a peer is not deterministic."""
        return WORD.findall(self.runs[0].text.lower())

    def row(self) -> str:
        """Its row of the table."""
        name = " ".join([self.peer.name, *([f"({self.way[1]})"] if self.way[:1] == ("--batch",) else [])])
        if not self.runs:
            return f"| {name} | skipped: {self.failure} | | | | | | |"
        cpu_s, peak = (statistics.median(values) for values in zip(*((each.cpu_s, each.peak_mib) for each in self.runs), strict=True))
        compared = jiwer.process_words(" ".join(self.recording.words), " ".join(self.words))
        right = f"{compared.hits} of {len(self.recording.words)}"
        rates = f"{self.hear_s / self.recording.seconds:.4f} | {len(self.words) / self.hear_s:.1f}"
        return f"| {name} | {self.hear_s:.1f} | {rates} | {cpu_s:.1f} | {self.load_s:.1f} | {peak:.0f} | {right}, WER {compared.wer:.1%} |"


def side_by_side(peers: Sequence[Peer], models: Mapping[str, Path], recording: Recording, rounds: int, threads: int) -> Iterator[Result]:
    """Every peer on a recording, a round of all after the other."""
    runs: dict[str, list[Run]] = {peer.name: [] for peer in peers}
    ways: dict[str, tuple[str, ...]] = {}
    failures: dict[str, str] = {}
    for number in range(rounds):
        for peer in peers:
            if peer.name in failures:
                continue
            try:
                coming = [ways[peer.name]] if number else peer.ways
                tried = {way: run(peer, models[peer.model], recording, threads, way) for way in coming}
            except RunError as error:
                failures[peer.name] = str(error)
                continue
            ways[peer.name] = min(tried, key=lambda way: tried[way].hear_s)
            runs[peer.name].append(tried[ways[peer.name]])
            print(f"  {recording.name}, round {number + 1}, {peer.name}: {runs[peer.name][-1].hear_s:.1f} s", file=sys.stderr, flush=True)
    for peer in peers:
        yield Result(peer, recording, tuple(runs[peer.name]), ways.get(peer.name, ()), failures.get(peer.name, ""))


def table(results: Sequence[Result]) -> str:
    """The results on one recording as Markdown. A digit is one token of Whisper's vocabulary, so words are tokens."""
    head = "| | seconds | RTF | tokens a second | CPU seconds | to load, s | peak MiB | words right |"
    return "\n".join([head, "|---|---:|---:|---:|---:|---:|---:|---:|", *(result.row() for result in results)])


def goal_values(conversations: Mapping[str, Sequence[Result]]) -> tuple[dict[str, float], dict[str, str]]:
    """The values of the goals from the results on the conversation, by size; and for those that were not measured, why.

    Trax counts as its peers do, at its best: with the whisper.cpp built for this machine where there is one.
    """
    values: dict[str, float] = {}
    skipped: dict[str, str] = {}
    over_pywhispercpp = []
    for size in _SIZES:
        seconds = {result.peer: result.hear_s for result in conversations.get(size, ()) if result.runs}
        name = f"speed_over_faster_whisper_{size}"
        ours = [seconds[peer] for peer in (TRAX, TRAX_BUILT) if peer in seconds]
        others = [seconds[peer] for peer in (FASTER_WHISPER, FASTER_WHISPER_BATCHED) if peer in seconds]
        if ours and others:
            values[name] = min(others) / min(ours)
        else:
            skipped[name] = "not in this run" if size not in conversations else "Trax or faster-whisper did not run"
        if ours and PYWHISPERCPP in seconds:
            over_pywhispercpp.append(seconds[PYWHISPERCPP] / min(ours))
    if over_pywhispercpp:
        values["speed_over_pywhispercpp"] = min(over_pywhispercpp)
    else:
        skipped["speed_over_pywhispercpp"] = "Trax or pywhispercpp did not run"
    runs = [result for result in conversations.get(_DEFAULT, ()) if result.peer in (TRAX, TRAX_BUILT) and result.runs]
    if runs and runs[0].recording.seconds >= _FIVE_MINUTES:
        values["five_minutes_seconds"] = min(run.load_s + run.hear_s * _FIVE_MINUTES / run.recording.seconds for run in runs)
    else:
        skipped["five_minutes_seconds"] = "not in this run"
    return values, skipped


def main() -> int:
    """Measure all, print the tables and the goals; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", choices=_SIZES, default=_QUICK_SIZES if is_quick() else _SIZES)
    parser.add_argument("--minutes", type=float, default=1 if is_quick() else 5)
    parser.add_argument("--rounds", type=int, default=1 if is_quick() else 3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into its sections `speed SIZE`")
    parser.add_argument("--recordings", nargs="+", choices=list(_SILENCE), default=list(_SILENCE))
    parser.add_argument("--only", nargs="+", choices=[peer.name for peer in PEERS], default=[peer.name for peer in PEERS])
    chosen = parser.parse_args()
    peers = [peer for peer in PEERS if peer.name in chosen.only]
    data = require_data()
    machine = f"{this_machine()}; {chosen.threads} threads each, medians of {chosen.rounds}"
    print(f"machine: {machine}")
    conversations: dict[str, Sequence[Result]] = {}
    with tempfile.TemporaryDirectory(prefix="trax-speed-") as temporary:
        folder = Path(temporary)
        recordings = [write_recording(data, name, chosen.minutes * 60, _SILENCE[name], folder) for name in chosen.recordings]
        for size in chosen.sizes:
            models = model_files(MODEL, size, folder)
            tables: list[str] = []
            for recording in recordings:
                results = list(side_by_side(peers, models, recording, chosen.rounds, chosen.threads))
                silence = f"{_SILENCE[recording.name]:.0%} silence"
                tables.append(f"### {size}: {recording.name}, {recording.seconds:.0f} s, {silence}\n\n{table(results)}")
                print(f"\n{tables[-1]}", flush=True)
                if recording.name == "conversation":
                    conversations[size] = results
            if chosen.write:
                head = f"On {machine}, {dt.datetime.now(dt.UTC).date()}."
                write_section(chosen.write, f"speed {size}", "\n\n".join([head, *tables]))
            for file in models.values():  # the larger ones take gigabytes
                shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
    print()
    return report("speed", *goal_values(conversations))


if __name__ == "__main__":
    raise SystemExit(main())
