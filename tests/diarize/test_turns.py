import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.diarize.embed import Embeddings
from trax.diarize.turns import PAUSE_IN_TURN, diarize
from trax.diarize.windows import bridge, plan_windows
from trax.transcript import Diarization, Span

CENTRES = np.maximum(np.random.default_rng(0).normal(size=(6, 256)), 0)
CENTRES /= np.linalg.norm(CENTRES, axis=1, keepdims=True)


def conversation(parts: list[tuple[int, float, float]], noise: float = 0.02, seed: int = 1) -> tuple[Embeddings, tuple[Span, ...]]:
    """Embeddings of made-up voices. `parts`: who speaks, for how long, after how long a pause. A window across a change mixes both."""
    at, said = 0.0, []
    for who, length, pause in parts:
        said.append((who, at + pause, at + pause + length))
        at += pause + length
    speech = tuple(bridge([Span(start, end) for _, start, end in said], 0.0))
    windows = plan_windows(speech)
    rng = np.random.default_rng(seed)
    vectors = noise * rng.normal(size=(len(windows), 256))
    for who, start, end in said:
        shared = np.maximum(0.0, np.minimum(windows[:, 1], end) - np.maximum(windows[:, 0], start))
        vectors += shared[:, None] * CENTRES[who]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Embeddings(windows, vectors.astype(np.float32)), speech


def run(parts, *, low=1, high=10, noise=0.02, seed=1) -> Diarization:
    embeddings, speech = conversation(parts, noise, seed)
    return diarize(embeddings, speech, min_speakers=low, max_speakers=high, threshold=0.35)


part = st.tuples(st.integers(0, 3), st.floats(0.05, 9), st.one_of(st.just(0.0), st.floats(0.05, 2)))


@given(parts=st.lists(part, max_size=14), seed=st.integers(0, 99), low=st.integers(1, 3), more=st.integers(0, 3))
@settings(max_examples=80, deadline=None)
def test_turns_cover_the_speech_in_order_without_overlap(parts, seed, low, more):
    embeddings, speech = conversation(parts, 0.03, seed)
    turns = diarize(embeddings, speech, min_speakers=low, max_speakers=low + more, threshold=0.35).turns
    for before, after in itertools.pairwise(turns):
        assert before.end <= after.start + 1e-9
        assert before.speaker != after.speaker or after.start - before.end > PAUSE_IN_TURN - 0.002
    assert all(turn.start <= turn.end and 0 <= turn.confidence <= 1 for turn in turns)
    in_order = list(dict.fromkeys(turn.speaker for turn in turns))
    assert in_order == [f"SPEAKER_{number:02d}" for number in range(len(in_order))]
    assert len(in_order) <= low + more
    covered = bridge([Span(turn.start, turn.end) for turn in turns], 0.001)
    for span in speech:
        assert any(each.start <= span.start + 0.001 and span.end - 0.001 <= each.end for each in covered)
    spoken = bridge(speech, PAUSE_IN_TURN + 0.001)
    assert all(any(each.start - 0.001 <= turn.start and turn.end <= each.end + 0.001 for each in spoken) for turn in turns)


def test_a_conversation_with_pauses_changes_exactly_at_them():
    turns = run([(0, 5, 0.5), (1, 6, 0.4), (0, 3, 0.6), (2, 5, 0.4)]).turns
    assert [(turn.speaker, turn.start, turn.end) for turn in turns] == [
        ("SPEAKER_00", 0.5, 5.5),
        ("SPEAKER_01", 5.9, 11.9),
        ("SPEAKER_00", 12.5, 15.5),
        ("SPEAKER_02", 15.9, 20.9),
    ]
    assert min(turn.confidence for turn in turns) > 0.8


@given(lengths=st.lists(st.floats(2.5, 7), min_size=2, max_size=6), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_change_without_a_pause_is_found_where_the_voices_change(lengths, seed):
    parts = [(number % 2, length, 0.0) for number, length in enumerate(lengths)]
    turns = run(parts, seed=seed, high=2).turns
    assert len(turns) == len(parts)
    for turn, changed in zip(turns, itertools.accumulate(lengths), strict=True):
        assert turn.end == pytest.approx(changed, abs=0.3)


def test_a_single_odd_window_is_no_turn():
    embeddings, speech = conversation([(0, 8, 0.2), (1, 8, 0.4)])
    vectors = embeddings.vectors.copy()
    vectors[5] = 0.5 * vectors[5] + 0.5 * CENTRES[1]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    turns = diarize(Embeddings(embeddings.windows, vectors), speech, min_speakers=1, max_speakers=10, threshold=0.35).turns
    assert [turn.speaker for turn in turns] == ["SPEAKER_00", "SPEAKER_01"]


def test_the_bounds_on_speakers_are_kept():
    parts = [(number % 4, 5, 0.5) for number in range(12)]
    for low, high, expected in [(1, 10, 4), (1, 3, 3), (1, 1, 1), (2, 2, 2), (4, 4, 4)]:
        assert len({turn.speaker for turn in run(parts, low=low, high=high).turns}) == expected


def test_doubtful_turns_say_so():
    sure = run([(0, 5, 0.5), (1, 5, 0.5)]).turns
    embeddings, speech = conversation([(0, 5, 0.5), (1, 5, 0.5)])
    vectors = embeddings.vectors.copy()
    second = embeddings.windows[:, 0] > 5.4
    vectors[second] += 0.9 * CENTRES[0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    doubtful = diarize(Embeddings(embeddings.windows, vectors), speech, min_speakers=2, max_speakers=2, threshold=0.35).turns
    assert doubtful[-1].confidence < sure[-1].confidence


def test_silence_has_no_turns_and_a_click_has_one_of_no_confidence():
    none = Embeddings(np.zeros((0, 2), np.float32), np.zeros((0, 256), np.float32))
    assert diarize(none, (), min_speakers=1, max_speakers=10, threshold=0.35) == Diarization(())
    (turn,) = diarize(none, (Span(1.0, 1.1),), min_speakers=2, max_speakers=10, threshold=0.35).turns
    assert (turn.start, turn.end, turn.speaker, turn.confidence) == (1.0, 1.1, "SPEAKER_00", 0.0)


def test_equal_input_gives_equal_turns():
    parts = [(number % 3, 4, 0.3) for number in range(9)]
    assert run(parts) == run(parts)


def test_a_speaker_that_was_asked_for_is_not_smoothed_away():
    parts = [(0, 6, 0.2), (1, 0.9, 0.0), (0, 6, 0.0)]
    assert len({turn.speaker for turn in run(parts).turns}) == 1
    assert len({turn.speaker for turn in run(parts, low=2).turns}) == 2
