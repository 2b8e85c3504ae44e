"""Whether noise reduction (`audio.noise_reduction`) lowers the word error rate: digits in steady noise, with it and without.

It is off by default, and stays so unless it lowers the rate: `python benchmarks/noise_reduction.py`, 24 windows of thirty seconds for each
ratio of speech to noise, `QUICK=1` 6; `--windows`, `--ratios` and a model's file may be given.
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

from training.digits.clips import LEFT_OUT, fsdd
from training.digits.mixtures import Mixture
from training.digits.sounds import RATE, coloured_noise
from trax.audio.denoise import reduce_noise
from trax.config import Audio

CLEAN = float("inf")
RATIOS = (CLEAN, 20.0, 10.0, 5.0)  # dB
_WINDOWS, _QUICK_WINDOWS = 24, 6
_SEED = 11
_FULL_SCALE = np.iinfo(np.int16).max


def noisy(mixtures: Sequence[Mixture], ratio: float) -> list[Mixture]:
    """The windows with steady noise, each of another colour from white to brown; `ratio` is speech over noise in dB, pauses aside."""
    draw = np.random.default_rng(_SEED)
    return [_with_noise(draw, mixture, ratio) for mixture in mixtures]


def _with_noise(draw: np.random.Generator, mixture: Mixture, ratio: float) -> Mixture:
    noise = coloured_noise(draw, len(mixture.samples), float(draw.uniform(0, 2)))
    spoken = np.zeros(len(mixture.samples), dtype=bool)
    for digit in (digit for turn in mixture.turns for digit in turn):
        spoken[int(digit.start * RATE) : int(digit.end * RATE)] = True
    level = np.sqrt(np.mean(mixture.samples[spoken] ** 2)) * 10 ** (-ratio / 20) if spoken.any() else 0.0
    mixed = mixture.samples + noise * level
    return replace(mixture, samples=(mixed * min(1.0, 0.99 / max(float(np.abs(mixed).max()), 1e-9))).astype(np.float32))


def reduced(mixture: Mixture) -> Mixture:
    """The window as the decoder leaves it with noise reduction."""
    with tempfile.TemporaryFile() as pcm:
        pcm.write((mixture.samples * _FULL_SCALE).astype("<i2").tobytes())
        pcm.flush()
        reduce_noise(pcm.fileno(), lambda: None)
        pcm.seek(0)
        return replace(mixture, samples=np.frombuffer(pcm.read(), dtype="<i2").astype(np.float32) / _FULL_SCALE)


def loss_of_the_default(rates: Mapping[float, tuple[float, float]]) -> float:
    """Points of the mean word error rate that the other setting would spare; `rates` are without and with it, by ratio."""
    without, with_it = (sum(pair[side] for pair in rates.values()) / len(rates) for side in (0, 1))
    default, other = (with_it, without) if Audio().noise_reduction else (without, with_it)
    return max(0.0, default - other)


def main() -> int:
    """Measure, print the figures and the goal; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=REPOSITORY / "models" / MODELS["digits"], help="a model file")
    parser.add_argument("--windows", type=int, default=_QUICK_WINDOWS if is_quick() else _WINDOWS)
    parser.add_argument("--ratios", type=float, nargs="+", default=RATIOS, metavar="DB")
    asked = parser.parse_args()
    known = [clip for clip in fsdd(require_data(), unseen=True) if clip.speaker != LEFT_OUT]
    clean = conversations(known, asked.windows, varied=False)
    engine = load(asked.file)
    print(f"machine: {this_machine()}\n{asked.file.name}: {sum(len(said(each)) for each in clean)} words")
    rates: dict[float, tuple[float, float]] = {}
    for ratio in asked.ratios:
        mixtures = noisy(clean, ratio)
        rates[ratio] = (word_error_rate(engine, mixtures), word_error_rate(engine, [reduced(each) for each in mixtures]))
        name = "clean" if ratio == CLEAN else f"{ratio:g} dB"
        print(f"  {name}: WER {rates[ratio][0]:.2f} % without, {rates[ratio][1]:.2f} % with noise reduction", flush=True)
    return report("noise_reduction", {"noise_reduction_default_loses": loss_of_the_default(rates)})


if __name__ == "__main__":
    raise SystemExit(main())
