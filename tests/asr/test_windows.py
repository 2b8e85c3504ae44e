from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.asr.windows import KEPT_PAUSE, Window, pack
from trax.transcript import Span

EXACT = 1e-6


@st.composite
def speeches(draw):
    """Spans in order and apart."""
    spans, time = [], 0.0
    for pause, length in draw(st.lists(st.tuples(st.floats(0.1, 5), st.floats(0.05, 70)), max_size=25)):
        spans.append(Span(time + pause, time + pause + length))
        time += pause + length
    return spans


def middle(start: float, end: float) -> float:
    return (start + end) / 2


@given(speeches(), st.sampled_from([6.0, 20.0, 30.0]))
def test_every_moment_of_speech_is_heard_once_and_no_window_is_too_long(speech, longest):
    windows = pack(speech, longest, middle)
    pieces = [piece for window in windows for piece in window.pieces]
    for before, after in itertools.pairwise(pieces):
        assert before.end <= after.start + EXACT
    for window in windows:
        assert 0 < window.duration <= longest + EXACT
    for span in speech:
        inside = sum(max(0.0, min(span.end, piece.end) - max(span.start, piece.start)) for piece in pieces)
        assert inside == pytest.approx(span.duration, abs=1e-3)
    assert sum(window.duration for window in windows) <= sum(span.duration for span in speech) + KEPT_PAUSE * len(speech) + EXACT


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 96)), min_size=1, max_size=12), st.sampled_from([12.0, 30.0]))
def test_windows_hold_whole_spans_and_no_other_way_to_cut_is_better(eighths, longest):
    """In eighths of a second, so that nothing is rounded; every span fits into a window."""
    speech, end = [], 0.0
    for pause, length in eighths:
        speech.append(Span(end + pause / 8, end + (pause + length) / 8))
        end = speech[-1].end
    pauses = [after.start - before.end for before, after in itertools.pairwise(speech)]

    def heard(first: int, stop: int) -> float:
        return sum(span.duration for span in speech[first:stop]) + sum(min(pause, KEPT_PAUSE) for pause in pauses[first : stop - 1])

    ends = [span.end for span in speech]
    windows = pack(speech, longest, middle)
    cuts = [0, *(ends.index(window.end) + 1 for window in windows)]
    for window, (first, stop) in zip(windows, itertools.pairwise(cuts), strict=True):
        assert window.pieces[0].start == speech[first].start
        assert window.duration == heard(first, stop) <= longest
    assert cuts[-1] == len(speech)

    def kept(cuts: tuple[int, ...]) -> float:
        return sum(min(pauses[cut - 1], KEPT_PAUSE) for cut in cuts)

    for fewer in range(len(windows)):
        for others in itertools.combinations(range(1, len(speech)), fewer):
            if all(heard(first, stop) <= longest for first, stop in itertools.pairwise((0, *others, len(speech)))):
                assert fewer == len(windows) - 1, "fewer windows would have done"
                assert kept(others) <= kept(tuple(cuts[1:-1]))


@given(speeches(), st.data())
def test_times_go_back_to_where_the_sound_came_from(speech, data):
    windows = pack(speech, 30.0, middle)
    if not windows:
        return
    window = data.draw(st.sampled_from(windows))
    piece = data.draw(st.sampled_from(window.pieces))
    offset = sum(earlier.duration for earlier in window.pieces[: window.pieces.index(piece)])
    a, b = sorted(data.draw(st.tuples(st.floats(0.001, 0.999), st.floats(0.001, 0.999))))
    span = window.locate(offset + a * piece.duration, offset + b * piece.duration)
    assert span.start == pytest.approx(piece.start + a * piece.duration, abs=EXACT)
    assert span.end == pytest.approx(piece.start + b * piece.duration, abs=EXACT)


@given(speeches(), st.floats(-1, 40), st.floats(-1, 40))
def test_any_times_give_an_ordered_span_inside_the_window(speech, start, end):
    for window in pack(speech, 30.0, middle):
        span = window.locate(start, end)
        assert window.pieces[0].start - EXACT <= span.start <= span.end <= window.end + EXACT


def test_where_two_pieces_meet_a_start_is_late_and_an_end_is_early():
    window = Window((Span(10, 12), Span(20, 23)))
    assert window.duration == 5
    assert window.locate(0, 2) == Span(10, 12)
    assert window.locate(2, 5) == Span(20, 23)
    assert window.locate(1, 3) == Span(11, 21)


def test_of_the_ways_to_cut_into_two_that_at_the_longest_pause_is_taken():
    speech = [Span(0, 5), Span(5.2, 12), Span(12.9, 16), Span(16.2, 19), Span(19.3, 25)]
    assert pack(speech, 20, middle) == (Window((Span(0, 12),)), Window((Span(12.9, 25),)))


def test_windows_are_full_rather_than_cut_at_a_long_pause():
    speech = [Span(0, 8), Span(10, 17), Span(17.1, 24), Span(24.1, 30)]
    assert [window.end for window in pack(speech, 16, middle)] == [17, 30]


def test_of_long_pauses_as_much_is_kept_as_of_short_ones():
    half = KEPT_PAUSE / 2
    assert pack([Span(0, 2), Span(2.5, 4), Span(30, 31)], 20, middle) == (Window((Span(0, 4 + half), Span(30 - half, 31))),)


def test_speech_without_a_pause_is_cut_where_the_caller_says():
    windows = pack([Span(0, 50)], 20, lambda start, _end: start + 2)
    assert [window.pieces for window in windows] == [(Span(0, 12),), (Span(12, 24),), (Span(24, 36),), (Span(36, 50),)]
