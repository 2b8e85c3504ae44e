"""Models for a narrow field that ship with Trax: never taken for open speech by themselves, and run when named.

By a real daemon and its workers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jiwer
from clips import join
from rig import WORDS, Traxd

from trax.files import sha256_of
from trax.jobs.job import Status
from trax.models.catalogue import catalogue
from trax.shipped import shipped

OPEN_SPEECH = "librispeech/test-other/1688-142285-0001.flac"
SAID = ((0, "zero", "george"), (7, "seven", "george"), (3, "three", "jackson"), (9, "nine", "jackson"), (5, "five", "theo"))


def test_open_speech_goes_to_the_open_model_and_digits_to_theirs_when_named(sample: Callable[[str], Path], tmp_path: Path) -> None:
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
    assert used["sha256"] == sha256_of(shipped("models") / catalogue()["digits"].files[0].name)
    heard = " ".join(word["word"].strip().lower() for word in transcript["word_segments"])
    assert jiwer.wer(" ".join(word for _, word, _ in SAID), heard) <= 0.2, heard
