import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.diarize.noise import without_noise


def powers(seed: int, *, noise: float, frames: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Mel powers of syllables (a third of the frames) and of what they are with steady noise."""
    rng = np.random.default_rng(seed)
    speech = rng.exponential(1.0, (frames, 40)) * (rng.random((frames // 10, 1)) < 1 / 3).repeat(10, axis=0)
    return speech, speech + noise * rng.chisquare(8, (frames, 40)) / 8


@given(seed=st.integers(0, 1000), noise=st.floats(0.01, 0.5))
@settings(max_examples=25, deadline=None)
def test_most_of_a_steady_noise_goes(seed, noise):
    speech, heard = powers(seed, noise=noise)
    cleaned = without_noise(heard.astype(np.float32), np.ones(len(heard), np.float32))
    before, after = np.abs(heard - speech).mean(), np.abs(cleaned - speech).mean()
    assert after < 0.55 * before
    assert (cleaned > 0).all()
    assert (cleaned <= heard + 1e-6).all()


def test_speech_without_noise_is_left_alone():
    speech, _ = powers(1, noise=0.0)
    assert without_noise(speech.astype(np.float32), np.ones(len(speech), np.float32)) == pytest.approx(speech, abs=1e-6)


def test_silence_teaches_nothing():
    speech, heard = powers(2, noise=0.1)
    power = np.where(np.arange(1000) < 950, 0.0, 1.0).astype(np.float32)
    assert without_noise(heard.astype(np.float32), power) == pytest.approx(heard.astype(np.float32))
    assert speech.shape == heard.shape
