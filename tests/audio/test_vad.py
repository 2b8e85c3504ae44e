from __future__ import annotations

import itertools

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.audio.pcm import SAMPLE_RATE, Pcm
from trax.audio.silero import Silero
from trax.audio.vad import (
    CHUNK_SECONDS,
    MIN_SILENCE,
    MIN_SPEECH,
    OFFSET,
    ONSET,
    PADDING,
    find_speech,
    gain_for,
    levels,
    spans_of_speech,
)
from trax.models.silero import weights
from trax.transcript import Span

probabilities = st.lists(st.sampled_from([0.0, 0.1, OFFSET, 0.3, ONSET, 0.9]), max_size=300)


@given(probabilities)
def test_spans_are_ordered_apart_inside_and_long_enough(values):
    duration = len(values) * CHUNK_SECONDS
    spans = spans_of_speech(values, duration)
    for span in spans:
        assert 0 <= span.start < span.end <= duration
        assert span.duration >= MIN_SPEECH - 1e-9
    for before, after in itertools.pairwise(spans):
        assert after.start - before.end >= MIN_SILENCE - 2 * PADDING - 1e-9


@given(probabilities)
def test_no_span_without_an_onset_and_none_lost_that_is_long(values):
    spans = spans_of_speech(values, len(values) * CHUNK_SECONDS)
    if all(value < ONSET for value in values):
        assert spans == ()
    needed = int(MIN_SPEECH / CHUNK_SECONDS) + 1
    for index in range(len(values) - needed + 1):
        if all(value >= ONSET for value in values[index : index + needed]):
            middle = (index + needed / 2) * CHUNK_SECONDS
            assert any(span.start <= middle <= span.end for span in spans)


@given(probabilities, st.floats(0.01, 9.6))
def test_nothing_lies_beyond_the_end(values, duration):
    assert all(span.start <= span.end <= duration for span in spans_of_speech(values, duration))


def test_hysteresis_keeps_a_fading_voice_and_ignores_a_rising_one():
    fading = [0.0] * 20 + [0.9] * 5 + [0.25] * 20 + [0.0] * 20
    (span,) = spans_of_speech(fading, 65 * CHUNK_SECONDS)
    assert span == Span(pytest.approx(20 * CHUNK_SECONDS - PADDING), pytest.approx(45 * CHUNK_SECONDS + PADDING))
    assert spans_of_speech([0.0] * 20 + [0.3] * 20, 40 * CHUNK_SECONDS) == ()


def test_gain_brings_speech_to_the_target_whatever_the_silence_around_it():
    speech, silence = [-43.0] * 100, [-90.0] * 5000
    assert gain_for(speech) == pytest.approx(10)
    assert gain_for(speech + silence) == pytest.approx(10)
    assert gain_for([-5.0] * 100) == 1
    assert gain_for([-69.0] * 100) == pytest.approx(10**1.5)
    assert gain_for(silence) == 1
    assert gain_for([]) == 1


@given(st.lists(st.floats(-120, 0), max_size=50))
def test_gain_stays_within_its_bounds(power):
    assert 1 <= gain_for(power) <= 10**1.5 + 1e-9


def test_levels_of_a_square_wave():
    assert levels(np.full(4000, 0.1, dtype=np.float32)) == pytest.approx([-20, -20], abs=1e-3)
    assert levels(np.zeros(1600, dtype=np.float32)) == pytest.approx([-120])


def pcm_of(path, samples) -> Pcm:
    path.write_bytes(np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes())
    return Pcm(path)


@pytest.mark.parametrize("level", [0.0, 0.001, 0.03])
def test_neither_silence_nor_noise_is_speech(tmp_path, level):
    noise = np.random.default_rng(0).standard_normal(10 * SAMPLE_RATE) * level
    with pcm_of(tmp_path / "pcm.raw", noise) as pcm:
        assert find_speech(pcm, Silero(weights()), lambda _: None) == ()


def test_an_empty_recording(tmp_path):
    with pcm_of(tmp_path / "pcm.raw", np.zeros(0)) as pcm:
        assert find_speech(pcm, Silero(weights()), lambda _: None) == ()


@pytest.mark.parametrize("gain", [1.0, 0.02])
def test_an_utterance_is_found_where_it_lies_however_quiet(sample, tmp_path, gain):
    with av.open(str(sample("librispeech/test-other/1688-142285-0001.flac"))) as source:
        voice = np.concatenate([frame.to_ndarray()[0] for frame in source.decode(audio=0)]) / 32768
    pause = np.zeros(5 * SAMPLE_RATE)
    seen: list[float] = []
    with pcm_of(tmp_path / "pcm.raw", np.concatenate([pause, voice, pause, voice, pause]) * gain) as pcm:
        spans = find_speech(pcm, Silero(weights()), seen.append)
    length = len(voice) / SAMPLE_RATE
    reference = [(5, 5 + length), (10 + length, 10 + 2 * length)]
    for start, end in reference:
        inside = [span for span in spans if span.end > start and span.start < end]
        assert inside[0].start == pytest.approx(start, abs=0.6)
        assert inside[-1].end == pytest.approx(end, abs=0.6)
        assert sum(span.duration for span in inside) > 0.8 * (end - start)
    assert all(any(start - 0.2 <= span.start and span.end <= end + 0.2 for start, end in reference) for span in spans)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
