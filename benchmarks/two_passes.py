"""What two passes are worth: digits that no training heard, by the fast model, by the refine model, and by both as Trax does it.

Every way is voice activity, then the engine, as in a worker; both is the fast model over everything and `trax.asr.refine` with the default
threshold. Also: how true the scores of the words are, what of the errors is doubted, and how far off the times of the words.
`make accuracy` hears 60 windows a bed, QUICK=1 3; `--write PAGE` writes its section of the page.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from digit_beds import KNOWN, Recording, beds, decoded, words_in
from digits import MODELS, load
from goals import report
from machine import this_machine
from page_sections import today, write_section
from speech_data import REPOSITORY, is_quick, require_data
from surroundings import NOISY, SURROUNDINGS
from timed_alignment import Pair, aligned
from two_passes_page import section, tables
from two_passes_result import BETTER, BOTH, FAST, THRESHOLD, THRESHOLDS, Result, Way, score_error, time_errors, total

from trax.asr.doubt import Doubt, doubtful_spans
from trax.asr.engine import Options
from trax.asr.refine import refine
from trax.asr.whisper import Whisper
from trax.audio.silero import Silero
from trax.audio.vad import find_speech
from trax.models.silero import weights
from trax.transcript import Recognition

_WINDOWS, _QUICK_WINDOWS = 60, 3
#: One thread, so that processor time is what was worked, on a busy machine too; the words are those of any number.
_OPTIONS = Options("en", threads=1)


def hear(recording: Recording, fast: Whisper, better: Whisper, silero: Silero) -> Result:
    """All ways on one recording."""
    with decoded(recording) as pcm:
        speech = find_speech(pcm, silero, lambda _: None)
        first, fast_work = _worked(lambda: fast.transcribe(pcm, speech, _OPTIONS, lambda _: None, lambda: False))
        second, better_work = _worked(lambda: better.transcribe(pcm, speech, _OPTIONS, lambda _: None, lambda: False))
        both, refining = _worked(lambda: refine(first, better, pcm, speech, _OPTIONS, THRESHOLD, lambda _: None, lambda: False))
        doubts = {threshold: doubtful_spans(first, speech, pcm.duration, threshold) for threshold in THRESHOLDS}
    pairs = {name: aligned(recording.said, words_in(heard)) for name, heard in ((FAST, first), (BETTER, second), (BOTH, both))}
    work = {FAST: fast_work, BETTER: better_work, BOTH: fast_work + refining}
    return Result(
        {name: Way(pairs[name], work[name]) for name in pairs},
        tuple(_doubted_from(pair, doubts) for pair in pairs[FAST]),
        audio=pcm.duration,
        refined=sum(doubt.span.duration for doubt in doubts[THRESHOLD]),
    )


def _worked(transcribe: Callable[[], Recognition]) -> tuple[Recognition, float]:
    begun = time.process_time()
    recognition = transcribe()
    return recognition, time.process_time() - begun


def _doubted_from(pair: Pair, doubts: Mapping[float, Iterable[Doubt]]) -> float:
    within = (threshold for threshold, each in doubts.items() if any(doubt.core.start <= pair.time < doubt.core.end for doubt in each))
    return min(within, default=math.inf)


def goal_values(results: Mapping[str, Result]) -> tuple[dict[str, float], dict[str, str]]:
    """The values of the goals, and the reasons for which some could not be measured."""
    everyone, noisy = total(results[name] for name in SURROUNDINGS), total(results[name] for name in NOISY)
    wrong = {name: way.errors.errors for name, way in everyone.ways.items()}
    work = {name: way.work for name, way in everyone.ways.items()}
    off = time_errors(results[KNOWN].ways[BOTH].pairs)
    accuracy = 100 * (1 - results[KNOWN].ways[BOTH].errors.rate)
    values = {
        "two_passes_clean_accuracy": accuracy,
        "two_passes_clean_accuracy_strived_for": accuracy,
        "word_scores_calibration_error": max(score_error(everyone.ways[name].pairs) for name in (FAST, BOTH)),
        "doubt_errors_held": 100 * noisy.errors_doubted(),
        "doubt_words": 100 * noisy.words_doubted(),
        "word_times_median_ms": max(float(np.median(each)) for each in off),
        "word_times_p95_ms": max(float(np.percentile(each, 95)) for each in off),
    }
    skipped = {}
    if wrong[BETTER] < wrong[FAST] and work[BETTER] > work[FAST]:
        values["two_passes_gain"] = 100 * (wrong[FAST] - wrong[BOTH]) / (wrong[FAST] - wrong[BETTER])
        values["two_passes_cost"] = 100 * (work[BOTH] - work[FAST]) / (work[BETTER] - work[FAST])
    else:
        skipped = dict.fromkeys(("two_passes_gain", "two_passes_cost"), "the refine model is not better, or costs nothing more")
    return values, skipped


def measure(data: Path, windows: int) -> Iterator[tuple[str, Result]]:
    """The result of each bed, by its name."""
    fast, better = (load(REPOSITORY / "models" / MODELS[name]) for name in ("digits-fast", "digits"))
    silero = Silero(weights())
    for name, recordings in beds(data, windows).items():
        print(f"{name} …", file=sys.stderr, flush=True)
        yield name, total(hear(recording, fast, better, silero) for recording in recordings)


def main() -> int:
    """Measure, print the tables and the goals, write the section if asked; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=_QUICK_WINDOWS if is_quick() else _WINDOWS, help="a bed, 30 s each")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the section into this page, such as docs/accuracy.md")
    asked = parser.parse_args()
    results = dict(measure(require_data(), asked.windows))
    machine, command = this_machine(), f"python benchmarks/two_passes.py --windows {asked.windows}"
    text = tables(results)
    print(f"machine: {machine}\n\n{text}\n")
    if asked.write:
        write_section(asked.write, "two passes", section(text, windows=asked.windows, machine=machine, command=command, date=today()))
    return report("two_passes", *goal_values(results))


if __name__ == "__main__":
    raise SystemExit(main())
