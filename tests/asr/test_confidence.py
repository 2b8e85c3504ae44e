from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.asr.confidence import Calibration, calibrated
from trax.errors import ModelError
from trax.transcript import Evidence, Word

WEIGHT = st.floats(0, 100)
CALIBRATIONS = st.builds(Calibration, st.floats(-100, 100), WEIGHT, WEIGHT, WEIGHT, st.floats(-100, 100))
WORDS = st.lists(st.builds(Word, st.just("one"), st.just(0.0), st.floats(0, 30), st.floats(0, 1)), min_size=1, max_size=8)
EVIDENCE = st.builds(Evidence, st.floats(-24, 0), st.just(1.0), st.just(1.0), st.floats(0, 1), st.just(0.0), st.just(1))

PLAIN = {"intercept": -1, "own": 0.5, "beside": 0.25, "segment": 2.0, "oddness": -0.5}


def test_without_a_calibration_the_score_is_the_mean_token_probability():
    evidence = Evidence(-0.3, 1.0, 1.0, 0.1, 0.0, 1)
    words = [Word("one", 0, 0.4, 0.25), Word("two", 0.5, 0.51, 0.9)]
    assert [word.score for word in calibrated(words, evidence, Calibration.of({}))] == pytest.approx([0.25, 0.9])


@given(WORDS, EVIDENCE, CALIBRATIONS)
def test_scores_are_strictly_between_nought_and_one_and_nothing_else_changes(words, evidence, calibration):
    scored = calibrated(words, evidence, calibration)
    assert all(0 < word.score < 1 for word in scored)
    assert [replace(word, score=0) for word in scored] == [replace(word, score=0) for word in words]


@given(WORDS, EVIDENCE, CALIBRATIONS, st.integers(0, 7), st.floats(0, 1))
def test_a_more_probable_word_lowers_no_score(words, evidence, calibration, index, probability):
    index %= len(words)
    better = [*words]
    better[index] = replace(words[index], score=max(probability, words[index].score))
    before, after = calibrated(words, evidence, calibration), calibrated(better, evidence, calibration)
    assert all(then.score <= now.score for then, now in zip(before, after, strict=True))


@given(WORDS, EVIDENCE, st.floats(0, 24))
def test_a_less_probable_segment_raises_no_score(words, evidence, less):
    worse = replace(evidence, average_log_probability=evidence.average_log_probability - less)
    calibration = Calibration.of({"calibration": PLAIN})
    before, after = calibrated(words, evidence, calibration), calibrated(words, worse, calibration)
    assert all(now.score <= then.score for then, now in zip(before, after, strict=True))


def test_a_calibration_comes_back_from_the_settings_it_is_written_to():
    calibration = Calibration.of({"calibration": PLAIN})
    assert calibration == Calibration(-1.0, 0.5, 0.25, 2.0, -0.5)
    assert Calibration.of({"calibration": calibration.to_plain()}) == calibration


@pytest.mark.parametrize(
    "plain",
    [
        *(7, "own", [], {}, {"own": 1.0}, PLAIN | {"mood": 1.0}),
        *(PLAIN | {"own": -0.1}, PLAIN | {"own": True}, PLAIN | {"own": "1"}, PLAIN | {"own": None}),
        *(PLAIN | {"intercept": float("nan")}, PLAIN | {"oddness": float("inf")}, PLAIN | {"segment": 1e9}),
    ],
)
def test_a_calibration_of_another_shape_is_refused_with_a_sentence(plain):
    with pytest.raises(ModelError, match=r"`calibration") as refused:
        Calibration.of({"calibration": plain})
    assert refused.value.advice
