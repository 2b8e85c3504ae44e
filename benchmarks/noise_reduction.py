"""Whether noise reduction (`audio.noise_reduction`) lowers the word error rate: digits clean and in noise, with it and without.

It is off by default, and stays so unless it lowers the rate: `python benchmarks/noise_reduction.py`, 24 windows of thirty seconds a
bed, `QUICK=1` 6; `--windows`, `--beds` and a model's file may be given.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from digits import MODELS, conversations, load, said, word_error_rate
from goals import report
from machine import this_machine
from speech_data import REPOSITORY, is_quick, require_data
from surroundings import NOISY, surrounded

from training.digits.clips import LEFT_OUT, fsdd
from training.digits.mixtures import Mixture
from trax.audio.denoise import reduce_noise
from trax.config import Audio

BEDS = ("clean", *NOISY)
_WINDOWS, _QUICK_WINDOWS = 24, 6
_SEED = 11
_FULL_SCALE = np.iinfo(np.int16).max


def disturbed(mixtures: Sequence[Mixture], bed: str) -> list[Mixture]:
    """The windows in one of the `BEDS`."""
    draw = np.random.default_rng(_SEED)
    return [replace(mixture, samples=surrounded(draw, mixture, bed)) for mixture in mixtures]


def reduced(mixture: Mixture) -> Mixture:
    """The window as the decoder leaves it with noise reduction."""
    with tempfile.TemporaryFile() as pcm:
        pcm.write((mixture.samples * _FULL_SCALE).astype("<i2").tobytes())
        pcm.flush()
        reduce_noise(pcm.fileno(), lambda: None)
        pcm.seek(0)
        return replace(mixture, samples=np.frombuffer(pcm.read(), dtype="<i2").astype(np.float32) / np.float32(_FULL_SCALE))


def loss_of_the_default(rates: Mapping[str, tuple[float, float]]) -> float:
    """Points of the mean word error rate that the other setting would spare; `rates` are without and with it, by bed."""
    without, with_it = (sum(pair[side] for pair in rates.values()) / len(rates) for side in (0, 1))
    default, other = (with_it, without) if Audio().noise_reduction else (without, with_it)
    return max(0.0, default - other)


def main() -> int:
    """Measure, print the figures and the goal; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=REPOSITORY / "models" / MODELS["digits"], help="a model file")
    parser.add_argument("--windows", type=int, default=_QUICK_WINDOWS if is_quick() else _WINDOWS)
    parser.add_argument("--beds", nargs="+", default=BEDS, choices=BEDS)
    asked = parser.parse_args()
    known = [clip for clip in fsdd(require_data(), unseen=True) if clip.speaker != LEFT_OUT]
    clean = conversations(known, asked.windows, varied=False)
    engine = load(asked.file)
    print(f"machine: {this_machine()}\n{asked.file.name}: {sum(len(said(each)) for each in clean)} words")
    rates: dict[str, tuple[float, float]] = {}
    for bed in asked.beds:
        mixtures = disturbed(clean, bed)
        rates[bed] = (word_error_rate(engine, mixtures), word_error_rate(engine, [reduced(each) for each in mixtures]))
        print(f"  {bed}: WER {rates[bed][0]:.2f} % without, {rates[bed][1]:.2f} % with noise reduction", flush=True)
    return report("noise_reduction", {"noise_reduction_default_loses": loss_of_the_default(rates)})


if __name__ == "__main__":
    raise SystemExit(main())
