from __future__ import annotations

import numpy as np
import pytest
import yaml
from calibration import Heard, calibration_error, crossed, doubt_needed, fitted, line, right
from surroundings import with_noise

from training.digits.mixtures import Digit, Mixture
from trax.asr.confidence import Calibration, Features

TRUTH = Calibration(intercept=-1.0, own=0.5, beside=0.2, segment=1.0, oddness=-0.5)


@pytest.fixture(scope="module")
def words() -> list[Heard]:
    draw = np.random.default_rng(5)
    drawn = [Features(*map(float, (*draw.normal(2, 2, 2), -draw.exponential(), draw.exponential()))) for _ in range(2000)]
    return [Heard("clean", index // 40, each, bool(draw.random() < TRUTH.score(each))) for index, each in enumerate(drawn)]


def test_the_fit_finds_the_weights_behind_the_words(words):
    found = fitted(words)
    assert list(found.to_plain().values()) == pytest.approx(list(TRUTH.to_plain().values()), abs=0.3)
    assert Calibration.of({"calibration": found.to_plain()}) == found


def test_no_weight_of_a_probability_becomes_negative(words):
    upside_down = [Heard(each.surroundings, each.window, each.features, not each.is_right) for each in words]
    found = fitted(upside_down)
    assert (found.own, found.beside, found.segment) == (0, 0, 0)


def test_fitted_scores_are_as_true_as_they_say(words):
    is_right = np.array([each.is_right for each in words])
    sure_of_all = np.full(len(words), 0.95)
    assert calibration_error(crossed(words), is_right) < 0.05 < calibration_error(sure_of_all, is_right)


def test_the_error_is_the_mean_distance_over_bins():
    scores, is_right = np.array([0.95, 0.95, 0.15, 1.0]), np.array([True, False, False, True])
    assert calibration_error(scores, is_right) == pytest.approx((3 * abs(2.9 / 3 - 2 / 3) + 0.15) / 4)


def test_how_many_words_are_to_be_doubted():
    scores = np.array([0.9, 0.1, 0.8, 0.2, 0.3])
    assert doubt_needed(scores, np.array([True, False, True, True, False])) == (0.6, pytest.approx(0.3))


def test_a_word_is_right_where_the_alignment_has_it():
    assert right(["one", "two", "three"], ["one", "too", "three", "four"]) == [True, False, True, False]
    assert right([], ["one"]) == [False]
    assert right(["one"], []) == []


def test_the_line_is_yaml():
    assert yaml.safe_load(line(TRUTH)) == {"calibration": TRUTH.to_plain()}


def test_noise_lies_as_far_below_the_speech_as_it_is_said_to():
    draw = np.random.default_rng(2)
    speech = np.zeros(32_000, dtype=np.float32)
    speech[:16_000] = draw.normal(0, 0.02, 16_000)
    mixture = Mixture(speech, ((Digit(1, 0.0, 1.0),),))
    noise = (with_noise(draw, mixture, 10.0) - speech)[:16_000]
    assert 10 * np.log10(np.mean(speech[:16_000] ** 2) / np.mean(noise**2)) == pytest.approx(10, abs=0.1)
