"""Sounds without words: as they are made, and what both passes make of them."""

from __future__ import annotations

import itertools

import digits
import invented
import numpy as np
import pytest
from nonspeech import KINDS, pieces

from trax.audio.pcm import SAMPLE_RATE, Pcm
from trax.audio.silero import Silero
from trax.audio.vad import find_speech
from trax.models.silero import weights
from trax.shipped import shipped
from trax.transcript import Segment, Word

#: The two kinds that are made to be taken for voices: what becomes of them is for the goals of benchmarks/invented.py.
LIKE_VOICES = {"babble", "a voice without words"}
SHORT = (1.5, 3.0)


def test_all_kinds_come_in_turn_and_last_exactly_so_long():
    made = list(pieces(60.0, SHORT))
    assert [piece.kind for piece in made] == list(itertools.islice(itertools.cycle(KINDS), len(made)))
    assert len(made) > 2 * len(KINDS)
    assert sum(len(piece.samples) for piece in made) == 60 * SAMPLE_RATE
    for piece in made:
        assert np.isfinite(piece.samples).all()
        assert np.abs(piece.samples).max(initial=0) < 1
        if piece.kind != "noises and tones as in training":  # in which there may be silence
            assert (piece.kind == "silence") == (not piece.samples.any())


def test_the_same_sounds_each_time_and_a_shorter_recording_begins_the_same():
    for one, other in zip(pieces(20.0, SHORT), pieces(60.0, SHORT), strict=False):
        whole = len(one.samples) == len(other.samples)  # the last of the shorter is cut
        assert not whole or np.array_equal(one.samples, other.samples)


def test_words_count_for_the_kind_they_begin_in():
    kinds = invented.Kinds((0.0, 5.0, 8.0), ("hum", "music", "hum"))
    words = tuple(Word("one", start, start + 0.5, 1.0) for start in (0.0, 4.9, 5.0, 9.0))
    assert kinds.count([Segment(0.0, 9.5, words)]) == {"hum": 3, "music": 1}


def test_the_table_has_a_row_for_each_kind_and_one_for_all():
    kinds = invented.Kinds((0.0,), ("hum",))
    row = invented.Found("both", kinds.count([Segment(0, 1, (Word("one", 0, 1, 1.0),))]), kinds.count([]))
    lines = invented.table([row]).splitlines()
    assert "| hum | 1 (0) |" in lines
    assert lines[-1] == "| **all** | 1 (0) |"
    assert len(lines) == len(KINDS) + 3


def test_two_passes_leave_no_word_where_nobody_speaks(tmp_path):
    fast, better = (digits.load(shipped("models") / digits.MODELS[name]) for name in ("digits-fast", "digits"))
    path = tmp_path / "pcm.raw"
    kinds = invented.write_sound(path, (piece for piece in pieces(120.0) if piece.kind not in LIKE_VOICES))
    with Pcm(path) as pcm:
        assert pcm.duration == pytest.approx(100, abs=20)
        speech = find_speech(pcm, Silero(weights()), lambda _: None)
        heard = invented.heard_twice(invented.heard(fast, pcm, speech), better, pcm, speech)
    assert kinds.count(heard.segments) == {}
