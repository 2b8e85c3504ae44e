"""Two speakers at once, from the inbox to the outputs, with models of known behaviour that were added."""

from __future__ import annotations

import itertools
import wave
from pathlib import Path

import numpy as np
import pysubs2
from networks import TWO_BANDS, lively_bands, two_bands
from rig import CONVERSATION, QUICK, Traxd
from speech_data import read_audio

from trax.files import sha256_of
from trax.jobs.job import Status
from trax.models.installing import FILE, put, room_for_one
from trax.models.model import Model


def install(state_models: Path) -> None:
    """As `trax-ctl models export` does: the one hears voices apart, the other tells them from one another."""
    for name, kind, engine, make, settings in (
        ("listens", "segmentation", "pyannet", two_bands, TWO_BANDS),
        ("tells", "embedding", "wespeaker", lively_bands, {"threshold": 0.1}),
    ):
        with room_for_one(state_models) as folder:
            made = make(folder / FILE)
            size = made.stat().st_size
            put(Model(name, kind, engine, FILE, sha256_of(made), "1", "open", ("*",), "MIT", "a test", size, settings), folder)


def write_two_at_once(target: Path) -> None:
    """One voice is heard below 900 Hz from second 1 to 16, the other above 2,200 Hz from 11 to 29: both from 11 to 16."""
    speech = np.asarray(read_audio(CONVERSATION), np.float64)[: 30 * 16_000]
    low, high = np.fft.rfft(speech), np.fft.rfft(np.sign(speech) * np.sqrt(np.abs(speech) * 3000))
    hz = np.fft.rfftfreq(speech.size, 1 / 16_000)
    low[hz > 900] = high[hz < 2200] = 0
    t = np.arange(speech.size) / 16_000
    hum = 600 + 400 * np.sin(2 * np.pi * 3 * t)  # no pauses: it is known who talks when
    tone = hum * np.sin(2 * np.pi * 200 * t), hum * np.sin(2 * np.pi * 3500 * t)
    mixed = (np.fft.irfft(low) + tone[0]) * ((t >= 1) & (t < 16)) + (np.fft.irfft(high) + tone[1]) * ((t >= 11) & (t < 29))
    with wave.open(str(target), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.clip(mixed, -32_768, 32_767).astype("<i2").tobytes())


def test_two_at_once_are_both_in_the_json_and_the_rttm_and_one_of_them_in_subtitles(tmp_path: Path) -> None:
    write_two_at_once(tmp_path / "both.wav")
    install(tmp_path / "root" / "state" / "models")
    with Traxd(tmp_path / "root", QUICK) as traxd:
        traxd.put(tmp_path / "both.wav", "both.wav")
        done = traxd.wait_for("both.wav")
        assert done.status is Status.COMPLETED, traxd.log_tail()
        transcript = traxd.transcript("both")
        outputs = {path.suffix: path.read_text() for path in traxd.outbox.glob("both.*")}

    assert (transcript["models"]["segmentation"]["name"], transcript["models"]["embedding"]["name"]) == ("listens", "tells")
    first, second = transcript["turns"]
    assert (first["speaker"], second["speaker"]) == ("SPEAKER_00", "SPEAKER_01")
    for turn, (start, end) in ((first, (1, 16)), (second, (11, 29))):
        assert abs(turn["start"] - start) < 0.1
        assert abs(turn["end"] - end) < 0.1

    lines = [line.split() for line in outputs[".rttm"].splitlines()]
    assert [(line[7], float(line[3]), round(float(line[3]) + float(line[4]), 3)) for line in lines] == [
        (turn["speaker"], turn["start"], turn["end"]) for turn in (first, second)
    ]

    assert {word["speaker"] for word in transcript["word_segments"]} <= {"SPEAKER_00", "SPEAKER_01"}
    for word in transcript["word_segments"]:
        if word["end"] < 11:
            assert word["speaker"] == "SPEAKER_00"
        if word["start"] > 16.1:
            assert word["speaker"] == "SPEAKER_01"
    cues = pysubs2.SSAFile.from_string(outputs[".srt"])
    assert all(before.end <= after.start for before, after in itertools.pairwise(cues))
    assert all(sum(f"SPEAKER_0{number}" in cue.text for number in (0, 1)) == 1 for cue in cues)
