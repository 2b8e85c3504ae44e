"""Fits the weights that turn a digits model's token probabilities into the probability that a word is right, and says how true it is.

`python benchmarks/calibration.py FILE` hears conversations that the accuracy bench does not hear (of clips of the training and of the other
clips of the left-out speaker; clean, in noise and over the telephone), and prints a reliability diagram before and after, how many words
are to be doubted to hold most of the errors, and the line for models/catalogue.yaml. Each half of the windows is scored by the weights
fitted on the other; the line is fitted on all.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import jiwer
import numpy as np
from digits import MODELS, load, plain, recognition, said
from numpy.typing import NDArray
from scipy.optimize import minimize
from speech_data import REPOSITORY, require_data
from surroundings import NOISY, SURROUNDINGS, surrounded

from training.digits.clips import LEFT_OUT, Clip, fsdd, never_used
from training.digits.mixtures import Mixture, cast_of, conversation
from training.digits.sounds import Sound
from trax.asr.confidence import Calibration, Features, features_of
from trax.asr.whisper import Whisper
from trax.audio.silero import Silero
from trax.models.silero import weights

_SEED = 1_001
_WINDOW = 30.0  # seconds
_WINDOWS = 60  # of each surroundings
_BINS = 10
_ERRORS_HELD = 0.8
_RIDGE = 1e-3
_LARGEST_WEIGHT = 100.0
_NAMES = tuple(field.name for field in fields(Calibration))
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heard:
    """A word that was heard: where, in which window, its features, and whether it is right."""

    surroundings: str
    window: int
    features: Features
    is_right: bool


def conversations(clips: Sequence[Clip], windows: int) -> Iterator[tuple[int, str, Mixture, Sound]]:
    """So many windows of each surroundings: number, surroundings, what is said, and the sound."""
    draw, cast = np.random.default_rng(_SEED), cast_of(clips, {LEFT_OUT: 0.4})
    for window in range(windows):
        for name in SURROUNDINGS:
            mixture = conversation(draw, cast, _WINDOW, varied=False)
            yield window, name, mixture, surrounded(draw, mixture, name)


def hear(engine: Whisper, clips: Sequence[Clip], windows: int) -> Iterator[Heard]:
    """All words of all windows. What was quarantined is no word."""
    silero = Silero(weights())
    for window, name, mixture, sound in conversations(clips, windows):
        words, features = list[str](), list[Features]()
        for segment in recognition(engine, sound, silero).segments:
            assert segment.evidence is not None
            words.extend(plain(word.text) for word in segment.words)
            features.extend(features_of(segment.words, segment.evidence))
        for each, is_right in zip(features, right(said(mixture), words), strict=True):
            yield Heard(name, window, each, is_right)


def right(truth: Sequence[str], heard: Sequence[str]) -> list[bool]:
    """Which of the words that were heard were said, by the alignment with the fewest errors."""
    verdict = [False] * len(heard)
    if truth and heard:
        for chunk in jiwer.process_words(" ".join(truth), " ".join(heard)).alignments[0]:
            if chunk.type == "equal":
                verdict[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
    return verdict


def fitted(words: Sequence[Heard]) -> Calibration:
    """Logistic regression by maximum likelihood with a slight ridge; weights of probabilities are held at 0 or above."""
    inputs = np.array([[1.0, *_values(word.features)] for word in words])
    signs = np.array([1.0 if word.is_right else -1.0 for word in words])

    def loss(weights: Values) -> tuple[float, Values]:
        margins = signs * (inputs @ weights)
        slope = -signs / (1 + np.exp(np.clip(margins, -500, 500)))
        ridge = _RIDGE * float(weights @ weights) / 2
        return float(np.mean(np.logaddexp(0, -margins))) + ridge, inputs.T @ slope / len(signs) + _RIDGE * weights

    free, held = (-_LARGEST_WEIGHT, _LARGEST_WEIGHT), (0.0, _LARGEST_WEIGHT)
    bounds = [free if name in {"intercept", "oddness"} else held for name in _NAMES]
    found = minimize(loss, np.zeros(len(_NAMES)), jac=True, method="L-BFGS-B", bounds=bounds)
    return Calibration(**{name: round(float(weight), 3) for name, weight in zip(_NAMES, found.x, strict=True)})


def crossed(words: Sequence[Heard]) -> Values:
    """The score of every word by the weights fitted on the windows of the other parity."""
    halves = [fitted([word for word in words if word.window % 2 != half]) for half in (0, 1)]
    return np.array([halves[word.window % 2].score(word.features) for word in words])


def bins(scores: Values, is_right: NDArray[np.bool_]) -> Iterator[tuple[float, int, float, float]]:
    """The reliability diagram: of each bin of equal width its lower end, words, mean score, and share that is right."""
    index = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    for each in range(_BINS):
        among = index == each
        if among.any():
            yield each / _BINS, int(among.sum()), float(scores[among].mean()), float(is_right[among].mean())


def calibration_error(scores: Values, is_right: NDArray[np.bool_]) -> float:
    """The expected calibration error over those bins (Naeini and others, 2015)."""
    return sum(count * abs(score - share) for _, count, score, share in bins(scores, is_right)) / len(scores)


def doubt_needed(scores: Values, is_right: NDArray[np.bool_]) -> tuple[float, float]:
    """The least share of the words, most doubtful first, that holds 80 % of the wrong ones, and the score up to which that goes."""
    order = np.argsort(scores, kind="stable")
    held = np.cumsum(~is_right[order])
    last = int(np.searchsorted(held, _ERRORS_HELD * held[-1]))
    return (last + 1) / len(scores), float(scores[order][last])


def show(title: str, scores: Values, is_right: NDArray[np.bool_]) -> None:
    """Print the diagram and its error."""
    print(f"{title}: ECE {calibration_error(scores, is_right):.4f}\n  score       words   mean  right")
    for lower, count, score, share in bins(scores, is_right):
        print(f"  {lower:.1f} to {lower + 1 / _BINS:.1f} {count:6d}  {score:.3f}  {share:.3f}")


def report(words: Sequence[Heard], thresholds: Iterable[float]) -> None:
    """Print what is known of these words' scores."""
    is_right = np.array([word.is_right for word in words])
    raw, scores = np.array([Calibration().score(word.features) for word in words]), crossed(words)
    show("mean token probability", raw, is_right)
    show("calibrated", scores, is_right)
    for name in (*SURROUNDINGS, "all noise"):
        among = np.array([word.surroundings == name or (name == "all noise" and word.surroundings in NOISY) for word in words])
        wrong = int((~is_right[among]).sum())
        print(f"{name}: {among.sum()} words, {wrong} wrong, ECE {calibration_error(scores[among], is_right[among]):.4f}")
        if not wrong:
            continue
        for what, each in (("token probability", raw[among]), ("calibrated", scores[among])):
            share, score = doubt_needed(each, is_right[among])
            print(f"  {what}: {_ERRORS_HELD:.0%} of the errors in {share:.1%} of the words, those up to {score:.3f}")
        for threshold in thresholds:
            doubted = scores[among] < threshold
            print(f"  below {threshold}: {doubted.mean():.1%} of the words, {(~is_right[among])[doubted].sum() / wrong:.1%} of the errors")


def line(calibration: Calibration) -> str:
    """For the settings of the model in models/catalogue.yaml."""
    return f"calibration: {json.dumps(calibration.to_plain()).replace(chr(34), '')}"


def _values(features: Features) -> tuple[float, ...]:
    return tuple(getattr(features, name) for name in _NAMES[1:])


def main() -> int:
    """Hear, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="a model file; default: both that Trax ships")
    parser.add_argument("--windows", type=int, default=_WINDOWS, help="of each surroundings, 30 s each (default: %(default)s)")
    parser.add_argument("--threshold", type=float, nargs="*", default=[0.6, 0.8, 0.9], help="scores below which a word is doubted")
    options = parser.parse_args()
    data = require_data()
    clips = (*fsdd(data, unseen=False), *never_used(data))
    for file in [options.file] if options.file else [REPOSITORY / "models" / name for name in MODELS.values()]:
        words = list(hear(load(file, is_calibrated=False), clips, options.windows))
        print(f"\n{file.name}: {len(words)} words in {options.windows} windows of each surroundings")
        report(words, options.threshold)
        print(line(fitted(words)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
