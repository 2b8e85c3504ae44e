"""What the digits models get wrong: conversations of clips that no training heard, in windows of thirty seconds, through whisper.cpp.

`make accuracy` measures both models that Trax ships, 60 windows a bed, QUICK=1 12; `python benchmarks/digits.py FILE` any other file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
from goals import report
from machine import this_machine
from speech_data import REPOSITORY, is_quick, require_data

sys.path.insert(0, str(REPOSITORY))

from training.digits.clips import LEFT_OUT, Clip, fsdd
from training.digits.mixtures import Mixture, cast_of, conversation, without_speech
from training.digits.sounds import Sound
from training.digits.vocabulary import DIGITS
from trax.asr.engine import Options
from trax.asr.whisper import Whisper
from trax.audio.pcm import Pcm
from trax.audio.silero import Silero
from trax.audio.vad import find_speech
from trax.models.catalogue import catalogue
from trax.models.model import Model
from trax.transcript import Recognition, Span

MODELS = {name: catalogue()[name].files[0].name for name in ("digits-fast", "digits")}
_WINDOW = 30.0  # seconds
_WINDOWS, _QUICK_WINDOWS = 60, 12
_SEED = 7


@dataclass(frozen=True, slots=True)
class Bed:
    """Windows of one kind, to be heard: whose voices, and in what surroundings."""

    name: str
    mixtures: Sequence[Mixture]

    @property
    def words(self) -> int:
        """How many are spoken."""
        return sum(len(said(mixture)) for mixture in self.mixtures)


def beds(data: Path, windows: int) -> tuple[Bed, ...]:
    """Conversations of the speakers who trained, clean and not, and of the one left out; the same for the same number of windows."""
    unseen = fsdd(data, unseen=True)
    known, left_out = ([clip for clip in unseen if (clip.speaker == LEFT_OUT) == out] for out in (False, True))
    return (
        Bed("trained speakers", conversations(known, windows, varied=False)),
        Bed("trained speakers, noise, rooms and speeds", conversations(known, windows, varied=True)),
        Bed(f"the speaker left out ({LEFT_OUT})", conversations(left_out, windows, varied=False)),
    )


def conversations(clips: Sequence[Clip], windows: int, *, varied: bool) -> list[Mixture]:
    """So many windows of these clips; one that is cut inside a digit would have no exact words."""
    draw, cast, whole = np.random.default_rng(_SEED), cast_of(clips, {}), list[Mixture]()
    while len(whole) < windows:
        mixture = conversation(draw, cast, _WINDOW, varied=varied)
        if mixture.cut is None:
            whole.append(mixture)
    return whole


def without_words(windows: int) -> list[Mixture]:
    """Silence, noises and tones."""
    draw = np.random.default_rng(_SEED)
    return [without_speech(draw, _WINDOW) for _ in range(windows)]


def said(mixture: Mixture) -> list[str]:
    """The words of a window."""
    return [DIGITS[digit.digit] for turn in mixture.turns for digit in turn]


def recognition(engine: Whisper, sound: Sound, silero: Silero | None = None) -> Recognition:
    """What the engine makes of a sound: of the speech that voice activity finds in it, or, without `silero`, of all."""
    with tempfile.TemporaryDirectory(prefix="trax-digits-") as folder:
        path = Path(folder) / "window.pcm"
        path.write_bytes((sound * np.iinfo(np.int16).max).astype("<i2").tobytes())
        with Pcm(path) as pcm:
            speech = find_speech(pcm, silero, lambda _: None) if silero else (Span(0.0, pcm.duration),)
            return engine.transcribe(pcm, speech, Options("en", threads=2), lambda _: None, lambda: False)


def heard(engine: Whisper, mixture: Mixture) -> Iterator[str]:
    """The words that the engine makes of a window, given whole."""
    for segment in recognition(engine, mixture.samples).segments:
        for word in segment.words:
            yield plain(word.text)


def plain(text: str) -> str:
    """A word as it is compared."""
    return text.strip(" ,.").lower()


def word_error_rate(engine: Whisper, mixtures: Sequence[Mixture]) -> float:
    """Over all windows, in percent."""
    return 100 * float(jiwer.wer([" ".join(said(each)) for each in mixtures], [" ".join(heard(engine, each)) for each in mixtures]))


def load(file: Path, *, is_calibrated: bool = True) -> Whisper:
    """The engine on a model file, with the catalogue's settings for it, else those of `digits`; its scores calibrated or as they come.

    Raises ModelError when it is none.
    """
    known = catalogue()[next((name for name, shipped in MODELS.items() if shipped == file.name), "digits")].settings
    settings = {key: value for key, value in known.items() if is_calibrated or key != "calibration"}
    return Whisper(Model("digits", "asr", "whisper", str(file), None, "", "digits", ("en",), "", "", file.stat().st_size, settings))


def measure(file: Path, on: Sequence[Bed], silent: Sequence[Mixture]) -> tuple[list[float], int]:
    """The word error rate on each bed, and how many words were heard where there are none; prints them."""
    engine = load(file)
    print(f"{file.name}")
    rates = []
    for bed in on:
        rates.append(word_error_rate(engine, bed.mixtures))
        print(f"  {bed.name}: WER {rates[-1]:.2f} % of {bed.words} words", flush=True)
    invented = sum(len(list(heard(engine, mixture))) for mixture in silent)
    print(f"  silence, noise and tones: {invented} words in {len(silent)} windows", flush=True)
    return rates, invented


def goal_values(measured: Mapping[str, tuple[list[float], int]]) -> dict[str, float]:
    """The values of the goals: for each model the error rate on trained speakers, and the words where there are none."""
    return {
        "digits_wer": measured["digits"][0][0],
        "digits_wer_strived_for": measured["digits"][0][0],
        "digits_fast_wer": measured["digits-fast"][0][0],
        "digits_words_without_speech": sum(invented for _, invented in measured.values()),
    }


def main() -> int:
    """Measure, print the figures and the goals; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", help="a model file; default: both that Trax ships")
    options = parser.parse_args()
    windows = _QUICK_WINDOWS if is_quick() else _WINDOWS
    on, silent = beds(require_data(), windows), without_words(windows)
    print(f"machine: {this_machine()}")
    if options.file:
        measure(options.file, on, silent)
        return 0
    return report("digits", goal_values({name: measure(REPOSITORY / "models" / file, on, silent) for name, file in MODELS.items()}))


if __name__ == "__main__":
    raise SystemExit(main())
