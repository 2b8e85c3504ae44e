"""What a model file gets wrong: `python -m training.digits.evaluate MODEL --data DIR`. Needs no torch: whisper.cpp runs it, as Trax does.

Conversations of clips that no training heard, joined as they are, in windows of thirty seconds; then windows without any speech.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import jiwer
import numpy as np

from training.digits.clips import LEFT_OUT, fsdd
from training.digits.mixtures import Mixture, cast_of, conversation, without_speech
from training.digits.vocabulary import DIGITS
from trax.asr.whisper import Whisper
from trax.audio.pcm import Pcm
from trax.models.ggml.check import check_whole
from trax.models.model import Model
from trax.transcript import Span

_WINDOW = 30.0  # seconds


def word_error_rate(engine: Whisper, mixtures: Sequence[Mixture], threads: int) -> tuple[float, int]:
    """The word error rate over windows, and how many words they hold."""
    said = [" ".join(DIGITS[digit.digit] for turn in mixture.turns for digit in turn) for mixture in mixtures]
    heard = [" ".join(words(engine, mixture, threads)) for mixture in mixtures]
    return float(jiwer.wer(said, heard)), sum(len(each.split()) for each in said)


def words(engine: Whisper, mixture: Mixture, threads: int) -> Iterator[str]:
    """What the engine hears in a window, given whole."""
    with tempfile.NamedTemporaryFile(suffix=".pcm") as file:
        file.write((np.clip(mixture.samples, -1, 1) * 32767).astype("<i2").tobytes())
        file.flush()
        with Pcm(Path(file.name)) as pcm:
            heard = engine.transcribe(
                pcm, [Span(0.0, pcm.duration)], language="en", vocabulary=(), threads=threads,
                on_progress=lambda _: None, is_cancelled=lambda: False,
            )  # fmt: skip
    for segment in heard.segments:
        for word in segment.words:
            yield word.text.strip(" ,.").lower()


def main() -> None:
    """Print a line for each bed."""
    options = _options()
    engine = Whisper(_model(options.model, options.window))
    unseen = fsdd(options.data, unseen=True)
    beds = {
        "trained speakers": [clip for clip in unseen if clip.speaker != LEFT_OUT],
        f"the speaker left out ({LEFT_OUT})": [clip for clip in unseen if clip.speaker == LEFT_OUT],
    }
    for name, clips in beds.items():
        for varied in (False, True):
            draw = np.random.default_rng(7)
            mixtures = [
                replace(conversation(draw, cast_of(clips, {}), options.window, varied=varied), cut=None) for _ in range(options.windows)
            ]
            rate, count = word_error_rate(engine, mixtures, options.threads)
            print(f"{name}, {'with noise, rooms and speeds' if varied else 'clean'}: WER {rate:.2%} of {count} words", flush=True)
    draw = np.random.default_rng(8)
    silent = [without_speech(draw, options.window) for _ in range(options.windows)]
    invented = sum(len(list(words(engine, mixture, options.threads))) for mixture in silent)
    print(f"silence, noise and tones: {invented} words in {options.windows} windows")


def _model(path: Path, window: float) -> Model:
    check_whole(path)
    settings = {"window_seconds": window, "temperature_inc": 0.0}
    return Model("digits", "asr", "whisper", str(path), None, "", "digits", ("en",), "", "", path.stat().st_size, settings)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--windows", type=int, default=40)
    parser.add_argument("--window", type=float, default=_WINDOW, help="seconds")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
