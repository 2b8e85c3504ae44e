"""SRT and WebVTT as other people's parsers read them."""

from __future__ import annotations

import dataclasses

import pysubs2
import pytest
import webvtt

from trax.formats import srt, vtt
from trax.formats.lines import one_line, subtitle_lines, width
from trax.transcript import Segment, Transcript, Turn, Word

HOSTILE = [
    "-->",
    "<b>bold</b>",
    "</v>",
    "a\nb\r\n\r\nc",
    "{\\an8}",
    "C:\\New\\North",
    "&amp;",
    "\x00\x1b[31m",
    "\u2028\u2029\x85x",
    "\ud800",
    "WEBVTT",
    "NOTE",
    "1234",
    "\u202eback",
    "x" * 100,
    "99",
]


@pytest.fixture
def hostile(assembled) -> Transcript:
    """Every hostile text is a subtitle of its own: long silences lie between."""
    words = [(text, 1.0 + 4 * i, 1.8 + 4 * i, 0.9) for i, text in enumerate(HOSTILE)]
    return assembled(words, [Turn(0.9, 30.0, "A <b>\n--> &", 1.0), Turn(30.0, 70.0, "SPEAKER_01", 1.0)])


def srt_cues(text: str) -> list[tuple[int, int, str]]:
    return [(event.start, event.end, event.plaintext.replace("\n", " ")) for event in pysubs2.SSAFile.from_string(text, format_="srt")]


def vtt_cues(text: str) -> list[tuple[int, int, str | None, str]]:
    captions = webvtt.from_string(text).captions
    return [(c.start_time.in_milliseconds(), c.end_time.in_milliseconds(), c.voice, c.text.replace("\n", " ")) for c in captions]


def times(transcript: Transcript) -> list[tuple[int, int]]:
    return [(round(segment.start * 1000), round(segment.end * 1000)) for segment in transcript.segments]


def test_srt_as_written(conversation: Transcript) -> None:
    assert srt.render(conversation) == (
        "1\n00:00:01,000 --> 00:00:04,580\nSPEAKER_00: Did you find out when\nthe museum opens on a Sunday morning,\n\n"
        "2\n00:00:04,600 --> 00:00:06,680\nSPEAKER_00: in the winter,\nand what it costs?\n\n"
        "3\n00:00:08,000 --> 00:00:09,000\nSPEAKER_01: At ten.\n"
    )


def test_vtt_as_written(conversation: Transcript) -> None:
    assert vtt.render(conversation) == (
        "WEBVTT\n\n"
        "00:00:01.000 --> 00:00:04.580\n<v SPEAKER_00>Did you find out when the museum\nopens on a Sunday morning,\n\n"
        "00:00:04.600 --> 00:00:06.680\n<v SPEAKER_00>in the winter, and what it costs?\n\n"
        "00:00:08.000 --> 00:00:09.000\n<v SPEAKER_01>At ten.\n"
    )


def test_pysubs2_reads_every_cue(conversation: Transcript) -> None:
    cues = srt_cues(srt.render(conversation))
    assert [cue[:2] for cue in cues] == times(conversation)
    assert [cue[2] for cue in cues] == [
        "SPEAKER_00: Did you find out when the museum opens on a Sunday morning,",
        "SPEAKER_00: in the winter, and what it costs?",
        "SPEAKER_01: At ten.",
    ]


def test_webvtt_reads_every_cue_and_its_voice(conversation: Transcript) -> None:
    cues = vtt_cues(vtt.render(conversation))
    assert [cue[:2] for cue in cues] == times(conversation)
    assert [cue[2] for cue in cues] == ["SPEAKER_00", "SPEAKER_00", "SPEAKER_01"]
    assert cues[2][3] == "At ten."


def test_without_diarization_there_are_no_names(assembled) -> None:
    transcript = assembled([("Hello", 1, 2, 0.9)], None)
    assert srt_cues(srt.render(transcript)) == [(1000, 2000, "Hello")]
    assert vtt_cues(vtt.render(transcript)) == [(1000, 2000, None, "Hello")]


def test_hostile_text_breaks_no_srt_cue(hostile: Transcript) -> None:
    cues = srt_cues(srt.render(hostile))
    assert [cue[:2] for cue in cues] == times(hostile)
    texts = [text.partition(": ")[2] for _, _, text in cues]
    look_alikes = str.maketrans("<>{}\\", "\u2039\u203a()\u2216")
    assert texts == [one_line(text).translate(look_alikes) for text in HOSTILE]


def test_hostile_text_breaks_no_vtt_cue(hostile: Transcript) -> None:
    rendered = vtt.render(hostile)
    cues = vtt_cues(rendered)
    assert [cue[:2] for cue in cues] == times(hostile)
    assert rendered.count("-->") == len(HOSTILE)
    bodies = [line.partition(">")[2] for line in rendered.splitlines() if line.startswith("<v ")]
    unescaped = [body.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for body in bodies]
    assert unescaped == [one_line(text) for text in HOSTILE]
    assert "<v A &lt;b&gt; --&gt; &amp;>" in rendered


def test_silence_gives_files_that_parse(silence: Transcript) -> None:
    assert srt_cues(srt.render(silence)) == []
    assert vtt_cues(vtt.render(silence)) == []
    assert "NOTE No speech was found." in vtt.render(silence)


def test_a_warning_cannot_begin_a_cue(silence: Transcript) -> None:
    warned = dataclasses.replace(silence, warnings=("00:01.000 --> 00:02.000\n\nhello",))
    assert vtt_cues(vtt.render(warned)) == []


def test_empty_segments_are_left_out(conversation: Transcript) -> None:
    blank = Segment(90.0, 91.0, (Word("\n", 90.0, 91.0, 0.9, "SPEAKER_00"),), "SPEAKER_00")
    nobody = Segment(92.0, 93.0, (Word("", 92.0, 93.0, 0.9),))
    longer = dataclasses.replace(conversation, segments=(*conversation.segments, blank, nobody))
    assert len(vtt_cues(vtt.render(longer))) == 3
    assert len(srt_cues(srt.render(longer))) == 3


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short enough for one line", ["short enough for one line"]),
        ("two halves of nearly the same length are easier to read", ["two halves of nearly the same", "length are easier to read"]),
        ("he stopped at the corner, then he went on to the old house", ["he stopped at the corner,", "then he went on to the old house"]),
        ("the whole story happened in the summer of 1999", ["the whole story happened", "in the summer of 1999"]),
        (f"{'a' * 41} 1999", [f"{'a' * 41}", "1999"]),
        ("b" * 60, ["b" * 60]),
        (f"{'c' * 30} {'d' * 30} {'e' * 30}", ["c" * 30, "d" * 30, "e" * 30]),
    ],
)
def test_lines_break_where_a_reader_would(text: str, lines: list[str]) -> None:
    segment = Segment(0, 5, tuple(Word(part, 0, 1, 1) for part in text.split()))
    assert subtitle_lines(segment, "en") == lines


def test_wide_characters_take_two_columns_and_words_are_not_spaced() -> None:
    text = "今天 天气 很 好 我们 一起 去 公园 散步 然后 回家 吃饭 吧"
    segment = Segment(0, 5, tuple(Word(part, 0, 1, 1) for part in text.split()))
    lines = subtitle_lines(segment, "zh", "SPEAKER_00")
    assert "".join(lines) == "SPEAKER_00: 今天天气很好我们一起去公园散步然后回家吃饭吧"
    assert [width(line) <= 42 for line in lines] == [True, True]


def test_marks_on_letters_take_no_column() -> None:
    assert width("e\u0301te\u0301") == 3
