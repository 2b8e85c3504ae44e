"""Where subtitles are cut: the limits hold for whatever is said, and the cuts stand where a reader would make them."""

from __future__ import annotations

import time
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from trax.formats.lines import LINE_WIDTH, subtitle_lines, text_of, width
from trax.pipeline.subtitles import subtitles
from trax.transcript import Segment, Word


@st.composite
def spoken(draw: st.DrawFn) -> tuple[list[Word], float]:
    """Words in order without overlap, times in whole milliseconds, and a duration that holds them."""
    text = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=draw(st.sampled_from([8, 50])))
    speaker = st.sampled_from(draw(st.sampled_from([[None], ["SPEAKER_00"], ["SPEAKER_00", "SPEAKER_01", None]])))
    pieces = draw(st.lists(st.tuples(text, st.integers(0, 2500), st.integers(1, 1500), speaker), max_size=60))
    now, words = 0, []
    for what, gap, length, who in pieces:
        words.append(Word(what, (now + gap) / 1000, (now + gap + length) / 1000, 0.9, who))
        now += gap + length
    return words, (now + draw(st.integers(0, 2000))) / 1000


def lengths(segment: Segment) -> float:
    return round(segment.end - segment.start, 3)


@given(spoken(), st.sampled_from(["en", "zh"]))
@settings(max_examples=150)
def test_the_limits_hold_for_whatever_is_said(case: tuple[list[Word], float], language: str) -> None:
    words, duration = case
    cues = subtitles(words, language, duration)
    assert [word for cue in cues for word in cue.words] == words
    for cue in cues:
        assert {word.speaker for word in cue.words} == {cue.speaker}
        assert cue.start == cue.words[0].start
        assert cue.words[-1].end <= cue.end <= duration
        if len(cue.words) > 1:
            assert lengths(cue) <= 7.0
            lines = subtitle_lines(cue, language, cue.speaker)
            assert len(lines) <= 2
            assert all(width(line) <= LINE_WIDTH for line in lines)
    for cue, following in pairwise(cues):
        assert cue.end <= following.start
        assert lengths(cue) >= 1.0 or cue.end == following.start
    if cues:
        assert lengths(cues[-1]) >= 1.0 or cues[-1].end == duration


def said(text: str, *, pace: float = 0.3, pauses: dict[int, float] | None = None, speaker: str | None = None) -> list[Word]:
    """The words of a text, one every `pace` seconds, with extra pauses after the words of the given numbers."""
    now, words = 0.0, []
    for number, what in enumerate(text.split()):
        words.append(Word(what, round(now, 3), round(now + pace - 0.05, 3), 0.9, speaker))
        now += pace + (pauses or {}).get(number, 0.0)
    return words


def shown(words: list[Word]) -> list[str]:
    return [text_of(cue, "en") for cue in subtitles(words, "en", words[-1].end + 5)]


def test_sentences_are_kept_whole() -> None:
    text = "It rained all morning. We stayed in the house and played cards until the sun came out. Then we left for the beach."
    assert shown(said(text)) == [
        "It rained all morning.",
        "We stayed in the house and played cards until the sun came out.",
        "Then we left for the beach.",
    ]


def test_a_long_sentence_is_cut_after_a_clause() -> None:
    text = "When the morning came over the harbour and all of the boats, the fishermen were already far out on the open water again"
    assert shown(said(text)) == [
        "When the morning came over the harbour and all of the boats,",
        "the fishermen were already far out on the open water again",
    ]


def test_without_punctuation_cuts_stand_at_pauses() -> None:
    text = "so we went there in the end and nobody had told us that it was closed on mondays which was a pity"
    assert shown(said(text, pauses={6: 0.7, 17: 1.2})) == [
        "so we went there in the end",
        "and nobody had told us that it was closed on mondays",
        "which was a pity",
    ]


def test_a_long_silence_always_ends_a_subtitle() -> None:
    assert shown(said("yes no", pauses={0: 2.5})) == ["yes", "no"]


def test_a_change_of_speaker_ends_a_subtitle() -> None:
    words = said("are you sure", speaker="SPEAKER_00")
    words += [Word("yes", 0.9, 1.2, 0.9, "SPEAKER_01")]
    cues = [(cue.speaker, text_of(cue, "en")) for cue in subtitles(words, "en", 10)]
    assert cues == [("SPEAKER_00", "are you sure"), ("SPEAKER_01", "yes")]


def test_a_short_subtitle_stays_for_a_second_but_not_into_the_next() -> None:
    words = [Word("yes", 1.0, 1.2, 0.9, "A"), Word("no", 1.5, 1.7, 0.9, "B"), Word("well", 9.0, 9.2, 0.9, "A")]
    assert [(cue.start, cue.end) for cue in subtitles(words, "en", 9.5)] == [(1.0, 1.5), (1.5, 2.5), (9.0, 9.5)]


def test_the_speakers_name_counts_as_part_of_the_first_line() -> None:
    words = said("one two three four five six seven eight nine ten eleven twelve thirteen fourteen", pace=0.2, speaker="SPEAKER_00")
    for cue in subtitles(words, "en", 60):
        lines = subtitle_lines(cue, "en", cue.speaker)
        assert len(lines) <= 2
        assert all(len(line) <= 42 for line in lines)


def test_four_hours_take_seconds() -> None:
    words = [Word("seven"[: 1 + i % 5], 0.36 * i, 0.36 * i + 0.3, 0.9, f"SPEAKER_{i // 40 % 4:02d}") for i in range(40_000)]
    before = time.process_time()
    cues = subtitles(words, "en", 14_400.0)
    assert time.process_time() - before < 30
    assert sum(len(cue.words) for cue in cues) == len(words)
