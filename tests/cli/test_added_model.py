"""A model with a window of its own, from the file to the words: added, loaded from its card, heard."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import jiwer
from clips import join

from trax.asr.engine import Options
from trax.asr.load import load_engine
from trax.audio.decode import decode
from trax.audio.pcm import Pcm
from trax.audio.silero import Silero
from trax.audio.vad import find_speech
from trax.models.model import Model
from trax.models.silero import weights

Ctl = Callable[..., subprocess.CompletedProcess[str]]
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


def test_a_model_of_short_windows_is_added_and_hears_the_digits(
    trax_ctl: Ctl, root: Path, whisper_model: Path, sample: Callable[[str], Path]
) -> None:
    added = trax_ctl("models", "add", str(whisper_model), "--name", "own-digits", "--scope", "digits", "--window", "6", "--json")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["added"]["settings"]["window_seconds"] == 6

    said = [(turn * 7 + turn // 10) % 10 for turn in range(24)]
    join([sample(f"fsdd/{digit}_{SPEAKERS[turn // 4]}_{5 + turn}.wav") for turn, digit in enumerate(said)], root / "digits.wav")
    with FileIO(root / "digits.wav") as source, (root / "pcm.raw").open("wb") as target:
        decode(source, target.fileno(), ".wav", 1 << 28, lambda _: None)
    engine = load_engine(Model.from_plain(json.loads(added.stdout)["added"]))
    with Pcm(root / "pcm.raw") as pcm:
        speech = find_speech(pcm, Silero(weights()), lambda _: None)
        recognition = engine.transcribe(pcm, speech, Options("en", threads=2), lambda _: None, lambda: False)
    heard = " ".join(word.text.lower() for segment in recognition.segments for word in segment.words)
    assert jiwer.wer(" ".join(NAMES[digit] for digit in said), heard) <= 0.1, heard
