"""Recognition and turns become one transcript that agrees with itself, whatever the engines said."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.config import Settings, job_settings, snapshot
from trax.errors import TranscriptError, WorkerError
from trax.formats.lines import one_line
from trax.pipeline.consistency import check
from trax.pipeline.merge import NO_SPEECH, NO_WORDS, POCKETSPHINX, accuracy_estimate, assemble, merge
from trax.pipeline.tidy import tidy_turns, tidy_words
from trax.transcript import Diarization, Media, Quarantined, Recognition, Segment, Transcript, Turn, Word

JOB_SETTINGS = job_settings(snapshot(Settings()))


def media(duration: float) -> Media:
    return Media("talk.wav", "0" * 64, 1000, duration, "wav", "pcm_s16le", 16000, 1)


def heard(*words: tuple[str, float, float, float]) -> Recognition:
    return Recognition("en", (Segment(words[0][1], words[-1][2], tuple(Word(*word) for word in words)),) if words else ())


def assembled(recognition: Recognition, diarization: Diarization | None, duration: float = 60.0, **more: Any) -> Transcript:
    known: dict[str, Any] = {"job": "j1", "media": media(duration), "models": {}, "settings": JOB_SETTINGS, "settings_hash": "0" * 16}
    return assemble(recognition, diarization, **(known | more))


TALK = heard(("hello", 0.5, 0.9, 0.9), ("there.", 0.9, 1.4, 0.8), ("hi", 2.0, 2.3, 0.7))
TURNS = Diarization((Turn(0.4, 1.5, "SPEAKER_00", 0.9), Turn(1.9, 2.5, "SPEAKER_01", 0.8)))

# times an engine may give: inside, before, past the end, backwards
wild = st.floats(-5, 40, allow_nan=False)
utterances = st.builds(Segment, wild, wild, st.lists(st.builds(Word, st.text(max_size=12), wild, wild, wild), max_size=12).map(tuple))
recognitions = st.builds(Recognition, st.sampled_from(["en", "ja"]), st.lists(utterances, max_size=8).map(tuple))
diarizations = st.none() | st.builds(
    Diarization, st.lists(st.builds(Turn, wild, wild, st.sampled_from(["SPEAKER_00", "SPEAKER_01"]), wild), max_size=12).map(tuple)
)


@given(recognitions, diarizations, st.floats(1, 30))
@settings(max_examples=150)
def test_whatever_the_engines_say_the_transcript_agrees_with_itself(
    recognition: Recognition, diarization: Diarization | None, duration: float
) -> None:
    check(assembled(recognition, diarization, duration))


@given(recognitions, st.floats(1, 30))
def test_tidy_words_keep_their_text_and_order(recognition: Recognition, duration: float) -> None:
    words = tidy_words(recognition, duration)
    utterances = sorted(recognition.segments, key=lambda segment: segment.start)
    readable = [one_line(word.text) for segment in utterances for word in segment.words]
    assert [word.text for word in words] == [text for text in readable if text]
    assert all(word.start < word.end <= duration for word in words)
    assert all(word.end <= following.start for word, following in pairwise(words))


def test_good_times_are_left_alone() -> None:
    assert [(word.start, word.end) for word in tidy_words(TALK, 60)] == [(0.5, 0.9), (0.9, 1.4), (2.0, 2.3)]


def test_a_wild_time_stays_inside_its_utterance() -> None:
    recognition = Recognition(
        "en",
        (
            Segment(0, 2, (Word("a", 0.0, 0.5, 1), Word("b", 900.0, 901.0, 1), Word("c", 1.0, 1.5, 1))),
            Segment(3, 4, (Word("d", 3.0, 3.5, 1),)),
        ),
    )
    words = tidy_words(recognition, 1000)
    assert [word.text for word in words] == ["a", "b", "c", "d"]
    assert (words[1].start, words[3].start) == (2.0, 3.0)


def test_words_without_anything_to_read_are_left_out() -> None:
    assert [word.text for word in tidy_words(heard(("", 0, 1, 1), (" \n", 1, 2, 1), ("a\tb", 2, 3, 1)), 60)] == ["a b"]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_figures_that_are_no_numbers_are_the_workers_fault(bad: float) -> None:
    with pytest.raises(WorkerError, match="not a number"):
        tidy_words(heard(("a", bad, 1.0, 0.5)), 60)
    with pytest.raises(WorkerError, match="not a number"):
        tidy_words(heard(("a", 0.0, 1.0, bad)), 60)
    with pytest.raises(WorkerError, match="not a number"):
        tidy_turns([Turn(0.0, bad, "SPEAKER_00")], 60)


def test_more_words_than_milliseconds_are_the_workers_fault() -> None:
    with pytest.raises(WorkerError, match=r"3 words for 0\.002 seconds"):
        tidy_words(heard(*[("a", 0.0, 0.001, 1.0)] * 3), 0.002)


def test_overlapping_turns_of_one_speaker_become_one_and_those_of_two_stay() -> None:
    turns = [Turn(0, 2, "A", 0.9), Turn(1, 3, "A", 0.5), Turn(2.5, 70, "B", 1.0), Turn(-1, 0, "C"), Turn(3, 4, "A", 1.0)]
    assert tidy_turns(turns, 60) == (Turn(0.0, 3.0, "A", 0.5), Turn(2.5, 60.0, "B", 1.0), Turn(3.0, 4.0, "A", 1.0))


def test_segments_break_where_the_speaker_changes() -> None:
    merged = merge(TALK, TURNS, 60.0)
    assert [(segment.speaker, [word.text for word in segment.words]) for segment in merged.segments] == [
        ("SPEAKER_00", ["hello", "there."]),
        ("SPEAKER_01", ["hi"]),
    ]
    assert [(speaker.label, speaker.talk, speaker.words) for speaker in merged.speakers] == [("SPEAKER_00", 1.1, 2), ("SPEAKER_01", 0.6, 1)]


def test_without_diarization_nobody_has_a_name() -> None:
    merged = merge(TALK, None, 60.0)
    assert {word.speaker for word in merged.words} == {None}
    assert merged.turns == merged.speakers == ()


def test_the_estimate_is_the_mean_score_of_the_words() -> None:
    assert accuracy_estimate([Word("a", 0, 1, 0.9), Word("b", 1, 9, 0.6)]) == 0.75
    assert accuracy_estimate([]) is None


def test_below_the_threshold_it_needs_review() -> None:
    transcripts = [assembled(heard(("a", 0, 1, score)), None) for score in (0.84, 0.85, 0.86)]
    assert [transcript.accuracy_threshold for transcript in transcripts] == [0.85] * 3
    assert [transcript.needs_review for transcript in transcripts] == [True, False, False]


def test_confidence_of_speakers_and_recording_is_that_of_their_turns_by_duration() -> None:
    turns = (Turn(0.0, 3.0, "SPEAKER_00", 1.0), Turn(3.0, 4.0, "SPEAKER_00", 0.2), Turn(4.0, 8.0, "SPEAKER_01", 0.5))
    transcript = assembled(TALK, Diarization(turns))
    assert [speaker.confidence for speaker in transcript.speakers] == [0.8, 0.5]
    assert transcript.speaker_confidence == 0.65
    assert assembled(TALK, None).speaker_confidence is None


def test_what_diarization_warns_of_is_told() -> None:
    told = Diarization((Turn(0.0, 3.0, "SPEAKER_00"),), warnings=("SPEAKER_00 may be two.",))
    assert "SPEAKER_00 may be two." in assembled(TALK, told).warnings


def test_silence_gives_a_valid_empty_transcript_that_says_so() -> None:
    transcript = assembled(heard(), Diarization(()))
    check(transcript)
    assert transcript.segments == transcript.turns == transcript.speakers == ()
    assert transcript.accuracy_estimate is None
    assert not transcript.needs_review
    assert transcript.warnings == (NO_SPEECH,)


def test_voices_without_words_need_review() -> None:
    transcript = assembled(heard(), TURNS)
    check(transcript)
    assert transcript.warnings == (NO_WORDS,)
    assert transcript.needs_review


def test_the_built_in_recogniser_is_named_as_less_accurate_after_the_given_warnings() -> None:
    assert assembled(TALK, TURNS, models={"asr": {"engine": "pocketsphinx"}}, warnings=["Given."]).warnings == ("Given.", POCKETSPHINX)
    assert assembled(TALK, TURNS, models={"asr": {"engine": "whisper"}}).warnings == ()


def test_what_was_left_out_as_invented_is_told() -> None:
    invented = Quarantined(Segment(4.0, 5.0, (Word("thanks", 4.0, 5.0, 0.4),)), "text where nobody speaks")
    transcript = assembled(dataclasses.replace(TALK, quarantined=(invented, invented)), TURNS)
    assert [warning for warning in transcript.warnings if warning.startswith("2 passages were left out as invented")]
    assert "thanks" not in {word.text for segment in transcript.segments for word in segment.words}
    assert transcript.quarantined == (invented, invented)


def test_words_far_from_every_turn_are_told() -> None:
    transcript = assembled(TALK, Diarization((Turn(20, 30, "SPEAKER_00"),)))
    assert transcript.warnings == ("3 of 3 words lie more than 1 s from any speaker's turn and have no speaker.",)


def _with_segment(transcript: Transcript, **changes: Any) -> Transcript:
    first, *rest = transcript.segments
    return dataclasses.replace(transcript, segments=(dataclasses.replace(first, **changes), *rest))


def _with_word(transcript: Transcript, **changes: Any) -> Transcript:
    first, *rest = transcript.segments[0].words
    return _with_segment(transcript, words=(dataclasses.replace(first, **changes), *rest))


def _with_speaker(transcript: Transcript, **changes: Any) -> Transcript:
    first, *rest = transcript.speakers
    return dataclasses.replace(transcript, speakers=(dataclasses.replace(first, **changes), *rest))


GOOD = assembled(TALK, TURNS)
BROKEN = {
    "is not within": _with_word(GOOD, start=0.4),
    "from nan to": _with_word(GOOD, start=math.nan),
    "from 0.5 to 0.5": _with_word(GOOD, end=0.5),
    "begins before the one at 0.5 s ends": _with_word(GOOD, end=1.0),
    "has the score 1.5": _with_word(GOOD, score=1.5),
    "has the score nan": _with_word(GOOD, score=math.nan),
    "is not by the speaker of its segment": _with_word(GOOD, speaker="SPEAKER_01"),
    "begins before the one at 0.5 s": _with_segment(GOOD, end=2.1),
    "has no words": _with_segment(GOOD, words=()),
    "is by 'SPEAKER_07', who is not listed": _with_segment(GOOD, speaker="SPEAKER_07"),
    "a segment from": dataclasses.replace(GOOD, media=media(2.0)),
    "a turn from": dataclasses.replace(GOOD, turns=(Turn(0, 61, "SPEAKER_00"),)),
    "the turn at 0.4 s is out of order": dataclasses.replace(GOOD, turns=GOOD.turns[::-1]),
    "the turn at 0.4 s is by 'SPEAKER_00'": dataclasses.replace(GOOD, speakers=GOOD.speakers[1:]),
    "has the confidence 2": dataclasses.replace(GOOD, turns=(Turn(0, 1, "SPEAKER_00", 2),)),
    "a speaker is listed twice": dataclasses.replace(GOOD, speakers=(*GOOD.speakers, GOOD.speakers[0])),
    "is listed with 9 words, but spoke 2": _with_speaker(GOOD, words=9),
    "is listed with -1 s": _with_speaker(GOOD, talk=-1),
    "the accuracy estimate is None": dataclasses.replace(GOOD, accuracy_estimate=None),
    "the accuracy estimate is 1.2": dataclasses.replace(GOOD, accuracy_estimate=1.2),
}


@pytest.mark.parametrize("contradiction", BROKEN)
def test_each_contradiction_is_found_and_named(contradiction: str) -> None:
    check(GOOD)
    with pytest.raises(TranscriptError) as caught:
        check(BROKEN[contradiction])
    assert contradiction in caught.value.what
    assert caught.value.file == "talk.wav"


@given(st.data())
def test_any_shifted_word_is_found(data: st.DataObject) -> None:
    words = GOOD.segments[0].words
    index = data.draw(st.integers(0, len(words) - 1))
    shift = data.draw(st.floats(0.6, 100) | st.floats(-100, -0.6))
    moved = dataclasses.replace(words[index], start=words[index].start + shift, end=words[index].end + shift)
    with pytest.raises(TranscriptError):
        check(_with_segment(GOOD, words=(*words[:index], moved, *words[index + 1 :])))
