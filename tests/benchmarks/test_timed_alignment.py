from __future__ import annotations

import jiwer
from hypothesis import given
from hypothesis import strategies as st
from timed_alignment import aligned, errors

from trax.transcript import Word


def words(*texts_and_starts: tuple[str, float]) -> list[Word]:
    return [Word(text, start, start + 0.4, 1.0) for text, start in texts_and_starts]


spoken = st.lists(st.tuples(st.sampled_from(["one", "two", "six"]), st.floats(0, 60)), min_size=1, max_size=12).map(
    lambda drawn: words(*sorted(drawn, key=lambda word: word[1]))
)


@given(spoken, spoken)
def test_it_counts_the_errors_that_others_count(said, heard):
    pairs = aligned(said, heard)
    assert [pair.said for pair in pairs if pair.said] == said
    assert [pair.heard for pair in pairs if pair.heard] == heard
    counted = errors(pairs)
    assert counted.words == len(said)
    theirs = jiwer.process_words(" ".join(word.text for word in said), " ".join(word.text for word in heard))
    assert counted.errors == theirs.substitutions + theirs.deletions + theirs.insertions


def test_of_two_equal_words_the_one_that_was_missed_is_known_by_its_time():
    said = words(("six", 0), ("six", 1), ("six", 5))
    pairs = aligned(said, words(("six", 0.1), ("six", 4.9)))
    assert [(pair.said, pair.heard is None) for pair in pairs] == [(said[0], False), (said[1], True), (said[2], False)]
    assert not pairs[1].is_right
    assert pairs[1].time == 1.2
