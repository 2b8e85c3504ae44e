import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.diarize.fbank import BANDS, HOP, SAMPLE_RATE, WINDOW, centred, fbank_frames
from trax.models.probe import probe_signal

#: By torchaudio and pyannote.audio in double precision; see training/fbank_reference.py.
REFERENCE = json.loads((Path(__file__).parent / "fbank_reference.json").read_text())


@pytest.mark.parametrize(("name", "signal"), [("probe", probe_signal()), ("quiet", probe_signal() / 1000)])
def test_frames_are_those_of_torchaudio_and_of_pyannote(name, signal):
    expected, frames = REFERENCE[name], fbank_frames(signal)
    assert frames.shape == (expected["frames"], BANDS)
    for frame, values in expected["fbank"].items():
        np.testing.assert_allclose(frames[int(frame)], values, rtol=0, atol=1e-3)
    for frame, values in expected["centred"].items():
        np.testing.assert_allclose(centred(frames)[int(frame)], values, rtol=0, atol=1e-3)


@given(st.integers(0, 3 * WINDOW))
@settings(deadline=None)
def test_there_is_a_frame_for_each_whole_window(samples):
    assert fbank_frames(np.zeros(samples, np.float32)).shape == (max(0, 1 + (samples - WINDOW) // HOP), BANDS)


@given(st.integers(0, 20))
@settings(deadline=None)
def test_frames_of_a_piece_are_those_of_the_whole(first):
    signal = probe_signal(8000)
    np.testing.assert_allclose(fbank_frames(signal[first * HOP :]), fbank_frames(signal)[first:], rtol=0, atol=1e-5)


@given(st.floats(0.01, 100.0))
@settings(deadline=None, max_examples=20)
def test_loudness_is_taken_out(factor):
    signal = probe_signal(16_000)
    np.testing.assert_allclose(centred(fbank_frames(signal * np.float32(factor))), centred(fbank_frames(signal)), rtol=0, atol=1e-2)


def test_silence_is_the_smallest_there_is():
    assert (fbank_frames(np.zeros(WINDOW, np.float32)) == fbank_frames(np.full(WINDOW, 0.5, np.float32)).min()).all()


def test_a_higher_tone_is_heard_in_a_higher_band():
    t = np.arange(SAMPLE_RATE // 10) / SAMPLE_RATE
    bands = [fbank_frames(np.sin(2 * np.pi * hz * t).astype(np.float32))[3].argmax() for hz in (200, 400, 800, 1600, 3200, 6400)]
    assert bands == sorted(set(bands))
