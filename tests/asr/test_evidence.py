from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.asr.evidence import average_log_probability, compression_ratio, duration_anomaly, entropy, evidence_of, is_anomalous
from trax.asr.tokens import Token, words_of
from trax.transcript import Evidence, Word

TOKENS = st.lists(st.builds(Token, st.binary(max_size=5), st.just(0.0), st.floats(0, 30), st.floats(0, 1)), max_size=40)


def evidence(text: str, *, probability: float = 0.9, seconds: float = 0.4) -> Evidence:
    tokens = [Token(f" {word}".encode(), index, index + seconds, probability) for index, word in enumerate(text.split())]
    return evidence_of(tokens, words_of(tokens, "en"), 0.1)


def test_plain_speech():
    plain = evidence("one two three four")
    assert plain.average_log_probability == pytest.approx(math.log(0.9))
    assert plain.entropy == pytest.approx(math.log(4))
    assert (plain.no_speech, plain.anomaly, plain.repeats) == (0.1, 0, 1)
    assert plain.compression_ratio < 1.5


def test_a_loop_compresses_and_has_little_entropy():
    loop = evidence("all right " * 30)
    assert loop.compression_ratio > 2.4
    assert loop.entropy == pytest.approx(math.log(2))
    assert loop.repeats == 30


def test_the_entropy_is_of_the_last_32_tokens():
    assert evidence(" ".join(f"word{index}" for index in range(40)) + " no" * 32).entropy == 0


def test_anomaly_counts_improbable_short_and_long_words():
    assert evidence("one two", probability=0.1).anomaly == 2
    assert evidence("one two", seconds=0.033).anomaly == pytest.approx(3)
    assert duration_anomaly(Word("one", 1, 4.5, 0.9)) == 1.5
    assert is_anomalous(evidence("one two", probability=0.1), 2)
    assert not is_anomalous(evidence("one two"), 2)


def test_of_nothing():
    assert evidence_of([], [], 0.5) == Evidence(0, 0, 0, 0.5, 0, 1)
    assert not is_anomalous(evidence_of([], [], 0.5), 0)


@given(TOKENS, st.floats(-1, 2))
def test_every_figure_is_in_its_range(tokens, no_speech):
    found = evidence_of(tokens, words_of(tokens, "en"), no_speech)
    assert -24 < found.average_log_probability <= 0
    assert 0 <= found.entropy <= math.log(32) + 1e-9
    assert 0 <= found.no_speech <= 1
    assert found.anomaly >= 0
    assert found.compression_ratio >= 0
    assert found.repeats >= 1


@given(st.lists(st.floats(0, 1), min_size=1), st.integers(0, 100))
def test_a_more_probable_token_does_not_lower_the_average(probabilities, index):
    index %= len(probabilities)
    assert average_log_probability([*probabilities[:index], 1.0, *probabilities[index + 1 :]]) >= average_log_probability(probabilities)


@given(st.lists(st.integers(0, 3), min_size=1), st.randoms())
def test_entropy_knows_no_order(signs, random):
    shuffled = random.sample(signs, len(signs))
    assert entropy(shuffled) == pytest.approx(entropy(signs))


@given(st.text(min_size=1))
def test_saying_it_ten_times_compresses_better(text):
    assert compression_ratio((text * 10).encode(errors="ignore")) >= compression_ratio(text.encode(errors="ignore"))
