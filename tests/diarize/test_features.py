import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.diarize.features import BANDS, HOP, WINDOW, gain, mel_frames, mel_spectrogram
from trax.models.ge2e import reference
from trax.models.mel import mel_filters
from trax.models.probe import probe_signal


def test_frames_are_those_of_librosa():
    expected = reference()
    signal = probe_signal()
    mel = mel_spectrogram(signal * np.float32(gain(float(np.sqrt(np.mean(signal**2))))))
    assert mel.shape == (expected["probe_signal_frames"], BANDS)
    for frame, values in expected["probe_signal_mel"].items():
        np.testing.assert_allclose(mel[int(frame)], values, rtol=1e-3, atol=1e-7)


def test_quiet_sound_is_raised_as_by_the_original():
    quiet = probe_signal() / 50
    mel = mel_spectrogram(quiet * np.float32(gain(float(np.sqrt(np.mean(quiet**2))))))
    np.testing.assert_allclose(mel[60], reference()["quiet_signal_mel"]["60"], rtol=1e-3, atol=1e-7)


@given(st.floats(1e-6, 1.0))
@settings(deadline=None)
def test_gain_only_raises_and_stops_at_the_target(level):
    raised = level * gain(level)
    assert raised == pytest.approx(max(level, 10**-1.5))


def test_silence_is_left_alone():
    assert gain(0.0) == 1.0
    assert not mel_spectrogram(np.zeros(1600, np.float32)).any()


@given(st.integers(0, 3 * WINDOW))
@settings(deadline=None)
def test_there_is_a_frame_for_each_whole_window(samples):
    frames = mel_frames(np.zeros(samples, np.float32))
    assert frames.shape == (max(0, 1 + (samples - WINDOW) // HOP), BANDS)


def test_each_band_hears_its_own_pitch():
    bank = mel_filters(BANDS)
    peaks = bank.argmax(axis=1)
    assert bank.shape == (BANDS, 1 + WINDOW // 2)
    assert (np.diff(peaks) >= 0).all()
    tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000).astype(np.float32)
    assert mel_spectrogram(tone)[20].argmax() == bank[:, 25].argmax()
