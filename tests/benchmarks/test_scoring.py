"""Rates against cases counted by hand, and against the definition of cpWER by trying every permutation."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scoring import (
    DiarizationErrors,
    WordErrors,
    cp_word_errors,
    diarization_errors,
    normalise,
    speaker_count_error,
    word_diarization_errors,
    word_errors,
)

from trax.transcript import Turn

TWO = (Turn(0, 10, "anna"), Turn(10, 20, "ben"))


@pytest.mark.parametrize(
    ("text", "scored"),
    [
        ("THERE'S Iron, they say!", "there's iron they say"),
        ("well-known  \n facts", "well known facts"),
        ("\u2018Tis the boys\u2019 don\u2019t", "tis the boys don't"),
        ("Mr. Hale and Mrs Hale", "mister hale and missus hale"),
        ("20 \uff21", "20 a"),
        ("a_b \u2026 '", "a b"),
        ("", ""),
    ],
)
def test_text_is_normalised_by_the_stated_rule(text, scored):
    assert normalise(text) == scored


@given(st.text())
def test_normalising_twice_changes_nothing_more(text):
    once = normalise(text)
    assert normalise(once) == once


def test_word_errors_are_counted_by_kind():
    # well added, sat heard as sit, the second the missing; no other alignment has as few errors
    errors = word_errors("The cat sat on the mat.", "well the cat sit on mat")
    assert errors == WordErrors(substitutions=1, deletions=1, insertions=1, words=6)
    assert errors.rate == pytest.approx(0.5)


def test_nothing_heard_is_all_deletions_and_nothing_said_all_insertions():
    assert word_errors("one two", "") == WordErrors(deletions=2, words=2)
    assert word_errors("", "one two") == WordErrors(insertions=2)
    assert word_errors("", "one two").rate == float("inf")
    assert word_errors("", "") == WordErrors()
    assert WordErrors().rate == 0.0


def test_errors_add_up_over_recordings():
    total = word_errors("a b", "a") + word_errors("a b c d e f g h", "a b c d e f g h")
    assert total.rate == pytest.approx(1 / 10)
    seconds = DiarizationErrors(1, 0, 0, 10) + DiarizationErrors(0, 1, 2, 30)
    assert seconds.rate == pytest.approx(4 / 40)
    assert (seconds.missed_rate, seconds.false_alarm_rate, seconds.confusion_rate) == pytest.approx((1 / 40, 1 / 40, 2 / 40))


def test_cpwer_pairs_speakers_whatever_they_are_called():
    reference = {"anna": "good morning ben", "ben": "hello anna how are you"}
    hypothesis = {"SPEAKER_00": "hello anna how are you", "SPEAKER_01": "good morning ben"}
    assert cp_word_errors(reference, hypothesis) == WordErrors(words=8)


def test_cpwer_charges_a_word_given_to_the_wrong_speaker_twice():
    reference = {"anna": "a b c", "ben": "d e f"}
    errors = cp_word_errors(reference, {"0": "a b", "1": "c d e f"})
    assert errors == WordErrors(deletions=1, insertions=1, words=6)


def test_cpwer_counts_a_speaker_too_many_and_one_too_few():
    assert cp_word_errors({"anna": "a b c"}, {"0": "a b", "1": "c"}) == WordErrors(deletions=1, insertions=1, words=3)
    assert cp_word_errors({"anna": "a b", "ben": "c"}, {"0": "a b"}) == WordErrors(deletions=1, words=3)
    assert cp_word_errors({"anna": "a b"}, {}) == WordErrors(deletions=2, words=2)
    assert cp_word_errors({}, {}) == WordErrors()


_TALK = st.lists(st.lists(st.sampled_from("abcd"), max_size=4).map(" ".join), max_size=4)


@given(_TALK, _TALK)
def test_cpwer_is_the_least_over_all_permutations(reference, hypothesis):
    size = max(len(reference), len(hypothesis))
    wanted, found = ([*texts, *[""] * (size - len(texts))] for texts in (reference, hypothesis))
    least = min(sum(word_errors(left, right).errors for left, right in zip(wanted, order, strict=True)) for order in permutations(found))
    assert cp_word_errors(dict(enumerate(reference)), dict(enumerate(hypothesis))).errors == least


def test_the_same_turns_under_other_names_have_no_errors():
    renamed = (Turn(0, 10, "SPEAKER_00"), Turn(10, 20, "SPEAKER_01"))
    assert diarization_errors(TWO, renamed, duration=20, collar=0) == DiarizationErrors(speech=20)


def test_missed_false_alarm_and_confusion_are_told_apart():
    # 0-1 nobody (missed), 10-11 still the first voice (confusion), 20-22 beyond the reference (false alarm)
    found = (Turn(1, 11, "x"), Turn(11, 22, "y"))
    errors = diarization_errors(TWO, found, duration=30, collar=0)
    assert (errors.missed, errors.confusion, errors.false_alarm, errors.speech) == pytest.approx((1, 1, 2, 20))
    assert errors.rate == pytest.approx(4 / 20)


def test_a_collar_is_left_out_on_either_side_of_a_boundary():
    # boundaries at 0, 10, 20: 0-0.25, 9.75-10.25 and 19.75-20.25 are not scored
    found = (Turn(1, 11, "x"), Turn(11, 22, "y"))
    errors = diarization_errors(TWO, found, duration=30, collar=0.25)
    assert (errors.missed, errors.confusion, errors.false_alarm, errors.speech) == pytest.approx((0.75, 0.75, 1.75, 19))


def test_overlap_is_scored():
    reference = (Turn(0, 10, "anna"), Turn(5, 10, "ben"))
    errors = diarization_errors(reference, (Turn(0, 10, "x"),), duration=10, collar=0)
    assert (errors.missed, errors.speech) == pytest.approx((5, 15))


def test_no_turns_miss_everything_and_turns_of_no_length_are_nothing():
    assert diarization_errors(TWO, (), duration=20, collar=0) == DiarizationErrors(missed=20, speech=20)
    assert diarization_errors(TWO, (Turn(3, 3, "x"),), duration=20, collar=0).missed == pytest.approx(20)


def test_speakers_are_counted():
    assert speaker_count_error(TWO, (Turn(0, 1, "x"),)) == -1
    assert speaker_count_error(TWO, (Turn(0, 1, "x"), Turn(1, 2, "y"), Turn(2, 3, "z"))) == 1
    assert speaker_count_error(TWO, (Turn(0, 1, "x"), Turn(1, 2, "y"), Turn(2, 3, "x"))) == 0


def spoken(text: str) -> list[tuple[str, str]]:
    """`a:one b:two` as words and speakers."""
    return [(word, speaker) for speaker, _, word in (part.partition(":") for part in text.split())]


@pytest.mark.parametrize(
    ("said", "heard", "wrong", "words"),
    [
        ("a:one a:two b:three", "x:one x:two y:three", 0, 3),
        ("a:one a:two b:three", "x:one y:two y:three", 1, 3),
        ("a:one a:two b:three", "x:won x:two x:three", 1, 3),  # heard wrongly, and counted all the same
        ("a:one a:two b:three", "x:one y:three", 0, 2),  # what was missed is no matter of speakers
        ("a:one b:three", "x:one x:four x:five y:three", 0, 2),
        ("a:Mr. a:Twenty-one", "x:mister x:twenty x:one", 0, 3),
        ("", "x:one", 0, 0),
        ("a:one", "", 0, 0),
    ],
)
def test_wder_counts_the_heard_words_of_the_wrong_speaker(said: str, heard: str, wrong: int, words: int):
    found = word_diarization_errors(spoken(said), spoken(heard))
    assert (found.wrong, found.words) == (wrong, words)


def test_a_word_that_nobody_was_given_is_wrong():
    assert word_diarization_errors([("one", "a"), ("two", "a")], [("one", "x"), ("two", None)]).rate == 0.5
