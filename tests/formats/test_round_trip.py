"""Whatever is said, other people's parsers read it back: every word once, in order, with its times and speaker."""

from __future__ import annotations

import json
import re

import pysubs2
import webvtt
from hypothesis import example, given
from hypothesis import strategies as st

from trax.formats import render_all
from trax.transcript import Turn

Said = list[tuple[str, float, float, float]]

texts = st.text(st.characters(codec="utf-8", categories=["L", "P", "S", "Nd"]), min_size=1, max_size=14)


@st.composite
def talks(draw: st.DrawFn) -> Said:
    now, words = 0, []
    for text, gap, length in draw(st.lists(st.tuples(texts, st.integers(0, 3000), st.integers(1, 1200)), min_size=1, max_size=25)):
        words.append((text, (now + gap) / 1000, (now + gap + length) / 1000, 0.9))
        now += gap + length
    return words


turn_lists = st.none() | st.lists(
    st.builds(
        lambda start, length, who: Turn(start, start + length, f"SPEAKER_{who:02d}"),
        st.integers(0, 60),
        st.integers(1, 9),
        st.integers(0, 2),
    ),
    max_size=8,
)

LOOK_ALIKES = str.maketrans("<>{}\\", "\u2039\u203a()\u2216")


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@given(talks(), turn_lists)
@example([("a" * 20, 0.0, 1.0, 0.9), ("b" * 20, 1.0, 2.0, 0.9), ("1999", 2.0, 3.0, 0.9)], None)
@example([("-->", 0.0, 1.0, 0.9), ("00:00:00.000", 1.0, 2.0, 0.9)], None)
def test_every_reader_finds_every_word(assembled, words: Said, turns: list[Turn] | None) -> None:
    transcript = assembled(words, turns)
    outputs = {name: b"".join(output).decode() for name, output in render_all(transcript, ["srt", "vtt", "ctm", "json"]).items()}
    said = "".join(text for text, *_ in words)

    document = json.loads(outputs["json"])
    assert [word["word"] for word in document["word_segments"]] == [text for text, *_ in words]
    assert [(word["start"], word["end"]) for word in document["word_segments"]] == [(start, end) for _, start, end, _ in words]
    segments = [(round(s["start"] * 1000), round(s["end"] * 1000), s.get("speaker")) for s in document["segments"]]

    captions = webvtt.from_string(outputs["vtt"]).captions
    assert [(c.start_time.in_milliseconds(), c.end_time.in_milliseconds(), c.voice) for c in captions] == segments
    payload = "".join(re.sub("^<v [^>]*>", "", caption.raw_text) for caption in captions)
    assert squeezed(payload).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == said

    events = pysubs2.SSAFile.from_string(outputs["srt"], format_="srt").events
    assert [(event.start, event.end) for event in events] == [segment[:2] for segment in segments]
    labels = [f"{who}:" if who else "" for _, _, who in segments]
    plain = "".join(squeezed(event.plaintext).removeprefix(label) for event, label in zip(events, labels, strict=True))
    assert plain == said.translate(LOOK_ALIKES)

    assert [line.split()[4] for line in outputs["ctm"].splitlines()] == [text for text, *_ in words]
