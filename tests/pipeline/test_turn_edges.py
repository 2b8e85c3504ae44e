"""Words at the edges of sentences go to whoever speaks the sentence; whoever throws in a word keeps it."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from trax.pipeline.turn_edges import EDGE, PAUSE, realign, sentences
from trax.transcript import Word


def said(text: str, *, each: float = 0.3, gap: float = 0.05) -> list[Word]:
    """`A:good B:morning.` as words in a row, each by the speaker before its colon; `…` is a pause as long as ends a sentence."""
    words, now = list[Word](), 0.0
    for part in text.split():
        if part == "…":
            now += PAUSE
            continue
        speaker, _, word = part.partition(":")
        words.append(Word(word, now, now + each, 1.0, speaker or None))
        now += each + gap
    return words


def speakers(text: str, **options: float) -> str:
    return "".join(word.speaker or "-" for word in realign(said(text, **options)))


def test_a_word_that_the_neighbours_turn_reached_over_goes_back_to_its_sentence() -> None:
    assert speakers("A:how A:are A:you? A:very B:well B:thank B:you.") == "AAABBBB"
    assert speakers("A:how A:are B:you? B:very B:well.") == "AAABB"


def test_what_somebody_throws_in_stays_theirs() -> None:
    assert speakers("A:and A:then B:yes A:we A:left.") == "AABAA"
    assert speakers("A:and A:then B:yes. A:we A:left.") == "AABAA"
    assert speakers("A:so A:it A:was. B:yes A:and A:then A:it A:rained.") == "AAABAAAA"


def test_only_a_short_run_goes_and_only_to_a_majority() -> None:
    assert speakers("A:one A:two. A:three A:four B:five B:six B:seven.") == "AAAABBB", "two words are longer than the edge of a turn"
    assert speakers("A:one A:two. A:three B:four.") == "AAAB", "nobody speaks most of it"
    assert speakers("A:one. A:two B:three B:four.", each=EDGE + 0.1) == "AABB"


def test_nothing_reaches_across_a_pause() -> None:
    assert speakers("A:one A:two … A:three B:four B:five B:six.") == "AAABBB"


def test_a_word_that_nobody_spoke_is_given_to_nobody_by_this() -> None:
    assert speakers(":one :two. :three B:four B:five.") == "--BBB"
    assert speakers("A:one. A:two :three :four.") == "AA--"


words = st.lists(
    st.builds(
        lambda text, speaker, length, gap: (text, speaker, length / 100, gap / 100),
        st.sampled_from(["one", "two", "three.", "four?"]),
        st.sampled_from(["A", "B", "C", None]),
        st.integers(1, 80),
        st.integers(0, 150),
    ),
    max_size=30,
)


@given(words)
def test_only_speakers_change_and_only_to_some_who_speak_in_that_sentence(drawn: list[tuple[str, str | None, float, float]]) -> None:
    spoken, now = list[Word](), 0.0
    for text, speaker, length, gap in drawn:
        spoken.append(Word(text, now, now + length, 1.0, speaker))
        now += length + gap
    after = realign(spoken)
    assert [dataclasses.replace(word, speaker=None) for word in after] == [dataclasses.replace(word, speaker=None) for word in spoken]
    assert [word for sentence in sentences(spoken) for word in sentence] == spoken
    position = 0
    for sentence in sentences(spoken):
        there = {word.speaker for word in sentence}
        assert {word.speaker for word in after[position : position + len(sentence)]} <= there
        position += len(sentence)
