"""The rule that trims a reference to speech, on sound whose speech is known because it was put there."""

import numpy as np
import pytest
from pauses import find_speech, levels
from speech_data import SAMPLE_RATE

RNG = np.random.default_rng(0)


def made(*parts):
    """Noise at the given level for the given time: (seconds, dB of full scale)."""
    return np.concatenate([RNG.normal(0, 32768 * 10 ** (level / 20), round(seconds * SAMPLE_RATE)) for seconds, level in parts]).astype(
        np.int16
    )


def edges(samples):
    return [edge for span in find_speech(samples) for edge in (span.start, span.end)]


def test_silence_at_the_ends_is_no_speech():
    assert edges(made((0.5, -75), (1.0, -25), (0.5, -75))) == pytest.approx([0.5, 1.5], abs=0.02)


def test_a_long_pause_parts_speech_and_a_short_one_does_not():
    quiet = (0.5, -75)
    assert edges(made(quiet, (1, -25), (0.4, -75), (1, -25), quiet)) == pytest.approx([0.5, 1.5, 1.9, 2.9], abs=0.02)
    assert edges(made(quiet, (1, -25), (0.2, -75), (1, -25), quiet)) == pytest.approx([0.5, 2.7], abs=0.02)


def test_a_click_is_no_speech():
    assert edges(made((0.4, -75), (0.02, -20), (0.5, -75), (1, -25), (0.5, -75))) == pytest.approx([0.92, 1.92], abs=0.02)


def test_the_noise_of_a_loud_room_is_no_speech():
    # 20 dB between speech and noise: within 30 dB of the speech, and still not speech
    assert edges(made((0.5, -45), (1, -25), (0.5, -45), (1, -25), (0.5, -45))) == pytest.approx([0.5, 1.5, 2.0, 3.0], abs=0.02)


def test_the_level_does_not_matter_only_the_difference():
    speech = made((0.5, -70), (1.0, -20), (0.5, -70))
    assert edges(speech) == pytest.approx(edges((speech // 4).astype(np.int16)), abs=0.02)


@pytest.mark.parametrize("length", [0, 1, 100, SAMPLE_RATE])
def test_nothing_is_no_speech(length):
    assert find_speech(np.zeros(length, np.int16)) == ()


def test_a_level_is_in_decibels_of_full_scale():
    tone = (32767 * np.where(np.arange(SAMPLE_RATE) % 2, 1, -1)).astype(np.int16)
    # a square wave at half the sampling rate, which pre-emphasis raises by 20 log10(1.97)
    assert levels(tone)[5] == pytest.approx(20 * np.log10(1.97), abs=0.01)
