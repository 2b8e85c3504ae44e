"""What finding out who spoke when costs: time and peak memory of the whole lane (voice activity, embeddings, clustering) by length.

Each length runs in a process of its own, with both threads of the lane's share, and is the beginning of the longer ones. Then batches and
threads on the shortest. QUICK=1 takes 5 minutes alone instead of 5, 60 and 240; `--minutes` chooses.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from conversations import long_recording
from goals import report
from machine import this_machine
from peaks import memory_of
from speech_data import is_quick, librispeech, require_data

_MINUTES, _QUICK_MINUTES = (5, 60, 240), (5,)
_BATCHES, _THREADS = (4, 8, 16, 32, 64), (1, 2)
_WAV_HEADER = 44  # bytes, as we write it
_CORES = 2


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds of the clock for each part, the peak of the process (MiB), and what was found."""

    minutes: float
    threads: int
    batch: int
    vad: float
    embedding: float
    clustering: float
    peak: float
    windows: int
    turns: int
    speakers: int

    @property
    def rtf(self) -> float:
        """Of the whole lane."""
        return (self.vad + self.embedding + self.clustering) / (self.minutes * 60)


def run_here(path: Path, threads: int, batch: int) -> Run:
    """The lane on a file of PCM, in this process."""
    from trax.audio.pcm import Pcm
    from trax.audio.silero import Silero
    from trax.audio.vad import find_speech
    from trax.diarize import embed as embedding
    from trax.diarize.turns import diarize
    from trax.models.silero import weights
    from trax.models.store import installed

    embedding.BATCH = batch  # type: ignore[misc]  # what is to be found out
    model = next(model for model in installed(path.parent / "none") if model.kind == "embedding")
    silero, encode = Silero(weights()), embedding.Encoder(model, threads)
    with Pcm(path) as pcm:
        began = time.perf_counter()
        speech = find_speech(pcm, silero, lambda _: None)
        heard = time.perf_counter()
        embeddings = embedding.embed(pcm, speech, encode, lambda _: None, lambda: False)
        embedded = time.perf_counter()
        threshold = float(model.settings["threshold"])
        turns = diarize(embeddings, speech, min_speakers=1, max_speakers=10, threshold=threshold).turns
        done = time.perf_counter()
        minutes = pcm.duration / 60
    memory = memory_of(Path("/proc/self/status").read_text(encoding="utf-8"))
    assert memory is not None
    return Run(
        minutes=minutes,
        threads=threads,
        batch=batch,
        vad=heard - began,
        embedding=embedded - heard,
        clustering=done - embedded,
        peak=memory[1] / 1024,
        windows=len(embeddings.windows),
        turns=len(turns),
        speakers=len({turn.speaker for turn in turns}),
    )


def run_apart(path: Path, threads: int, batch: int) -> Run:
    """The same in a new process."""
    command = [sys.executable, __file__, "--file", str(path), "--threads", str(threads), "--batch", str(batch)]
    return Run(**json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def write_pcm(path: Path, minutes: float, data: Path) -> None:
    """Write so many minutes of talk, without a header."""
    wav = path.with_suffix(".wav")
    long_recording(wav, minutes, librispeech(data))
    with wav.open("rb") as source, path.open("wb") as sink:
        source.seek(_WAV_HEADER)
        while piece := source.read(1 << 20):
            sink.write(piece)
    wav.unlink()


def table(runs: Sequence[Run]) -> str:
    """A Markdown table."""
    heading = (
        "| minutes | threads | batch | voice activity, s | embeddings, s | clustering, s | RTF | peak, MiB | windows | turns | speakers |"
    )
    rows = [
        f"| {run.minutes:.0f} | {run.threads} | {run.batch} | {run.vad:.1f} | {run.embedding:.1f} | {run.clustering:.1f} | {run.rtf:.4f} "
        f"| {run.peak:.0f} | {run.windows} | {run.turns} | {run.speakers} |"
        for run in runs
    ]
    return "\n".join([heading, f"|{'---:|' * 11}", *rows])


def goal_values(runs: Sequence[Run]) -> tuple[dict[str, float], dict[str, str]]:
    """The values of the goals, and those that are skipped and why."""
    values = {"diarization_rtf": max(run.rtf for run in runs), "diarization_rtf_strived_for": max(run.rtf for run in runs)}
    longest, shortest = runs[-1], runs[0]
    if round(longest.minutes) != _MINUTES[-1] or round(shortest.minutes) != _MINUTES[0]:
        return values, dict.fromkeys(("diarization_memory_240_minutes", "diarization_time_240_over_5_minutes"), "other lengths")
    return values | {
        "diarization_memory_240_minutes": longest.peak,
        "diarization_time_240_over_5_minutes": longest.rtf / shortest.rtf,
    }, {}


def main() -> int:
    """Measure, print the tables and the goals; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, nargs="+", default=_QUICK_MINUTES if is_quick() else _MINUTES)
    parser.add_argument("--file", type=Path, help="PCM to run on in this process; prints a run as JSON")
    parser.add_argument("--threads", type=int, default=_CORES)
    parser.add_argument("--batch", type=int, default=16)
    asked = parser.parse_args()
    if asked.file:
        print(json.dumps(asdict(run_here(asked.file, asked.threads, asked.batch))))
        return 0
    data = require_data()
    runs, ways = list[Run](), list[Run]()
    with tempfile.TemporaryDirectory(prefix="trax-diarization-speed-") as folder:
        for minutes in sorted(set(asked.minutes)):
            path = Path(folder) / f"{minutes}.pcm"
            write_pcm(path, minutes, data)
            runs.append(run_apart(path, asked.threads, asked.batch))
            if len(runs) == 1:
                ways = [run_apart(path, threads, batch) for threads in _THREADS for batch in _BATCHES]
            path.unlink()
    print(f"machine: {this_machine()}\n\n{table(runs)}\n\nThreads and batches:\n\n{table(ways)}\n")
    return report("diarization_speed", *goal_values(runs))


if __name__ == "__main__":
    raise SystemExit(main())
