"""RTTM, CTM and plain text: read by others, or held against the rules of NIST."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyannote.database.util import load_rttm

from trax.formats import ctm, rttm, txt
from trax.formats.clock import clock, field, file_id, timestamp
from trax.transcript import Segment, Transcript, Turn, Word


def test_pyannote_reads_the_turns(conversation: Transcript, tmp_path: Path) -> None:
    path = tmp_path / "talk.rttm"
    path.write_text(rttm.render(conversation), encoding="utf-8")
    annotation = load_rttm(path)["talk"]
    read = [(segment.start, pytest.approx(segment.end), label) for segment, _, label in annotation.itertracks(yield_label=True)]
    assert read == [(turn.start, turn.end, turn.speaker) for turn in conversation.turns]


@pytest.mark.parametrize("name", ['my "best" talk.mp3', "two\nlines.wav", "..mp3", "\udcff.ogg", "Gespräch 1.m4a", ";;comment.wav", ""])
def test_no_name_breaks_a_field(conversation: Transcript, tmp_path: Path, name: str) -> None:
    transcript = dataclasses.replace(
        conversation,
        media=dataclasses.replace(conversation.media, name=name),
        turns=(Turn(0, 1, 'Dr "Who"\n1', 1.0), Turn(1, 2, "\t", 1.0)),
    )
    path = tmp_path / "x.rttm"
    path.write_text(rttm.render(transcript), encoding="utf-8")
    annotation = load_rttm(path)[file_id(name)]
    assert sorted(annotation.labels()) == ["Dr_Who_1", "SPEAKER"]
    assert len(ctm.render(transcript).splitlines()) == 21


def test_a_file_id_is_the_name_without_its_extension() -> None:
    assert file_id("board meeting.v2.mp3") == "board_meeting.v2"
    assert file_id("noextension") == "noextension"
    assert file_id("\n.wav") == "recording"


@given(st.text())
def test_a_field_is_never_empty_nor_has_white_space(text: str) -> None:
    assert re.fullmatch(r"\S+", field(text, "x"))


#: sclite: file, channel, start, duration, word, confidence; a comment begins with two semicolons.
CTM_LINE = re.compile(r"(?P<file>[^\s;]\S*) 1 (?P<start>\d+\.\d{3}) (?P<duration>\d+\.\d{3}) (?P<word>\S+) (?P<score>[01]\.\d{3})")


def ctm_words(text: str) -> list[tuple[float, float, str, float]]:
    found = [CTM_LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found)
    return [(float(m["start"]), float(m["duration"]), m["word"], float(m["score"])) for m in found if m]


def test_ctm_has_every_word_once_in_order_of_time(conversation: Transcript) -> None:
    words = [word for segment in conversation.segments for word in segment.words]
    lines = ctm_words(ctm.render(conversation))
    assert lines == [(w.start, pytest.approx(w.end - w.start, abs=1e-6), w.text, w.score) for w in words]
    assert [line[0] for line in lines] == sorted(line[0] for line in lines)


def test_ctm_words_are_one_field(conversation: Transcript) -> None:
    odd = tuple(Word(text, i, i + 0.5, 0.9) for i, text in enumerate(["New\nYork", " ", ";; no comment", "\x00"]))
    transcript = dataclasses.replace(conversation, segments=(Segment(0, 5, odd),))
    assert [word for _, _, word, _ in ctm_words(ctm.render(transcript))] == ["New_York", ";;_no_comment"]


def test_silence_gives_empty_lists(silence: Transcript) -> None:
    assert rttm.render(silence) == ctm.render(silence) == ""
    assert txt.render(silence) == "Note: No speech was found.\n"


def test_text_is_a_paragraph_a_turn(conversation: Transcript) -> None:
    assert txt.render(conversation) == (
        "[00:00:01] SPEAKER_00: Did you find out when the museum opens on a Sunday morning, in the winter, and what it costs?\n"
        "\n"
        "[00:00:08] SPEAKER_01: At ten.\n"
    )


def test_long_talk_is_cut_into_paragraphs_at_sentences_and_pauses(conversation: Transcript) -> None:
    def sentence(start: float, text: str) -> Segment:
        return Segment(start, start + 5, (Word(text, start, start + 5, 0.9),))

    talk = (*(sentence(6.0 * i, "Word." if i != 10 else "word") for i in range(14)), sentence(90.0, "Later."))
    transcript = dataclasses.replace(conversation, segments=talk)
    assert [line.partition("]")[0][1:] for line in txt.render(transcript).splitlines() if line] == ["00:00:00", "00:01:12", "00:01:30"]


def test_text_has_no_paragraph_without_end(conversation: Transcript) -> None:
    talk = tuple(Segment(6.0 * i, 6.0 * i + 5.5, (Word("word", 6.0 * i, 6.0 * i + 5.5, 0.9),)) for i in range(50))
    assert len(txt.render(dataclasses.replace(conversation, segments=talk)).split("\n\n")) == 3


def test_times() -> None:
    assert timestamp(0.9996, ",") == "00:00:01,000"
    assert timestamp(3723.042, ".") == "01:02:03.042"
    assert clock(359_999.9) == "99:59:59"
