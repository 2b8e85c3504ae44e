"""Models for a narrow field that ship with Trax: never taken for open speech by themselves, and run when named.

A real daemon and its workers, from a copy of Trax that ships a real model for digits, whatever lies in the checkout's own folder of models.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import jiwer
import pytest
import yaml
from clips import join
from rig import WORDS, Traxd

import trax
from trax.files import sha256_of
from trax.jobs.job import Status
from trax.models.catalogue import FILE
from trax.shipped import shipped

OPEN_SPEECH = "librispeech/test-other/1688-142285-0001.flac"
SAID = ((0, "zero", "george"), (7, "seven", "george"), (3, "three", "jackson"), (9, "nine", "jackson"), (5, "five", "theo"))


@pytest.fixture
def with_digits(whisper_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of Trax that ships the model, in front of the one that is installed; its folder of models."""
    copy = tmp_path / "copy"
    shutil.copytree(Path(trax.__file__).parent, copy / "trax", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(shipped("models"), copy / "models", ignore=shutil.ignore_patterns("*.bin"))
    model = copy / "models" / "ggml-digits-q8_0.bin"
    shutil.copyfile(whisper_model, model)
    plain = yaml.safe_load((shipped("models") / FILE).read_bytes())
    (entry,) = [entry for entry in plain["models"] if entry["name"] == "digits"]
    entry.update(files=[{"name": model.name, "sha256": sha256_of(model)}], settings={"window_seconds": 6})
    (copy / "models" / FILE).write_text(yaml.safe_dump(plain))
    monkeypatch.setenv("PYTHONPATH", str(copy))
    return copy / "models"


def test_open_speech_goes_to_the_open_model_and_digits_to_theirs_when_named(
    with_digits: Path, sample: Callable[[str], Path], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with Traxd(root, WORDS) as traxd:
        traxd.put(sample(OPEN_SPEECH), "talk.flac")
        assert traxd.wait_for("talk.flac").status is Status.COMPLETED, traxd.log_tail()
    transcript = traxd.transcript("talk")
    assert transcript["models"]["asr"]["name"] == "pocketsphinx-en-us"
    assert len(transcript["word_segments"]) > 5

    join([sample(f"fsdd/{digit}_{speaker}_{7 + number}.wav") for number, (digit, _, speaker) in enumerate(SAID)], tmp_path / "digits.wav")
    with Traxd(root, {**WORDS, "asr": {"fast_model": "digits"}}) as traxd:
        traxd.put(tmp_path / "digits.wav", "digits.wav")
        assert traxd.wait_for("digits.wav").status is Status.COMPLETED, traxd.log_tail()
    transcript = traxd.transcript("digits")
    used = transcript["models"]["asr"]
    assert (used["name"], used["engine"], used["scope"]) == ("digits", "whisper", "digits")
    assert used["sha256"] == sha256_of(with_digits / "ggml-digits-q8_0.bin")
    heard = " ".join(word["word"].strip().lower() for word in transcript["word_segments"])
    assert jiwer.wer(" ".join(word for _, word, _ in SAID), heard) <= 0.2, heard
