"""Overlap-aware diarization, on made-up activities and voices."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.diarize.overlap import ALONE, SHORTEST, assign, diarize_overlapping, local_speakers, most_voted, speaker_count
from trax.diarize.segment import Segmentation

STEP, HOP, FRAMES = 0.02, 125, 500  # windows of ten seconds, every two and a half
RNG = np.random.default_rng(5)
VOICES = np.linalg.qr(RNG.normal(size=(16, 6)))[0].T  # six voices at right angles


def heard(talks: np.ndarray, rng: np.random.Generator, locals_: int = 3) -> tuple[Segmentation, np.ndarray]:
    """What a faultless segmentation says of who talks when (t, s), its local speakers shuffled; and the voice of each local speaker."""
    windows = 1 + max(0, -(-(len(talks) - FRAMES) // HOP))
    padded = np.zeros(((windows - 1) * HOP + FRAMES, talks.shape[1]), bool)
    padded[: len(talks)] = talks
    active, whose = np.zeros((windows, FRAMES, locals_), bool), np.full((windows, locals_), -1)
    for window in range(windows):
        piece = padded[window * HOP : window * HOP + FRAMES]
        present = np.flatnonzero(piece.any(axis=0))
        places = rng.permutation(locals_)[: len(present)]
        active[window][:, places] = piece[:, present]
        whose[window, places] = present
    segmentation = Segmentation(active, HOP, 0.0, STEP)
    speakers = [whose[window, local] for window, local in local_speakers(segmentation).places]
    vectors = VOICES[speakers] + 0.05 * rng.normal(size=(len(speakers), VOICES.shape[1]))
    return segmentation, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def diarized(talks: np.ndarray, seed: int = 0, **bounds):
    segmentation, vectors = heard(talks, np.random.default_rng(seed))
    return diarize_overlapping(segmentation, vectors, **{"min_speakers": 1, "max_speakers": 10, "threshold": 0.5, **bounds})


def conversation(*spans: tuple[int, float, float], seconds: float) -> np.ndarray:
    talks = np.zeros((round(seconds / STEP), max(who for who, _, _ in spans) + 1), bool)
    for who, start, end in spans:
        talks[round(start / STEP) : round(end / STEP), who] = True
    return talks


def told(turns) -> list[tuple[str, float, float]]:
    return [(turn.speaker, turn.start, turn.end) for turn in turns]


def test_two_who_talk_at_once_are_both_told_and_one_of_them_where_only_one_may_be():
    found = diarized(conversation((0, 1, 9), (1, 7, 15), (0, 18, 27), seconds=30))
    assert told(found.turns) == [("SPEAKER_00", 1.0, 9.0), ("SPEAKER_01", 7.0, 15.0), ("SPEAKER_00", 18.0, 27.0)]
    assert found.exclusive is not None
    assert all(before.end <= after.start for before, after in itertools.pairwise(found.exclusive))
    assert (found.exclusive[0].start, found.exclusive[-1].end) == (1.0, 27.0)
    assert sum(turn.end - turn.start for turn in found.exclusive) == pytest.approx(23.0)
    assert min(turn.confidence for turn in found.turns) > 0.8


def test_a_short_word_within_anothers_turn_survives():
    found = diarized(conversation((0, 0, 20), (1, 20, 40), (1, 8.0, 8.6), seconds=40))
    assert ("SPEAKER_01", 8.0, 8.6) in told(found.turns)


def test_a_speaker_talks_on_over_a_breath_but_not_over_another():
    found = diarized(conversation((0, 0, 5), (0, 5.2, 10), (0, 12, 20), (1, 20.0, 20.2), (0, 20.2, 30), (1, 30, 40), seconds=40))
    assert told(found.turns)[0] == ("SPEAKER_00", 0.0, 10.0)
    assert told(found.turns)[1] == ("SPEAKER_00", 12.0, 20.0)


def test_nobody_is_told_of_where_nobody_talks():
    assert diarized(np.zeros((2000, 2), bool)).turns == ()
    empty = Segmentation(np.zeros((0, FRAMES, 3), bool), HOP, 0.0, STEP)
    assert diarize_overlapping(empty, np.zeros((0, 16)), min_speakers=1, max_speakers=3, threshold=0.5).turns == ()


@pytest.mark.parametrize(("bounds", "speakers"), [({"max_speakers": 1}, 1), ({"max_speakers": 2}, 2), ({}, 3)])
def test_there_are_no_more_speakers_than_asked_for(bounds, speakers):
    talks = conversation((0, 0, 9), (1, 9, 18), (2, 18, 27), (0, 27, 36), seconds=36)
    assert len({turn.speaker for turn in diarized(talks, **bounds).turns}) == speakers


def test_no_speech_is_lost_where_two_must_be_one():
    talks = conversation((0, 0, 12), (1, 10, 25), seconds=25)
    assert told(diarized(talks, max_speakers=1).turns) == [("SPEAKER_00", 0.0, 25.0)]


def test_who_talks_for_a_moment_among_others_founds_no_speaker():
    talks = conversation((0, 0, 30), (1, 30, 60), (2, 40.0, 40.4), seconds=60)
    segmentation, vectors = heard(talks, np.random.default_rng(1))
    found = diarize_overlapping(segmentation, vectors, min_speakers=1, max_speakers=10, threshold=0.5)
    assert {turn.speaker for turn in found.turns} == {"SPEAKER_00", "SPEAKER_01"}


@st.composite
def talking(draw) -> np.ndarray:
    """Up to three people, two at once at most, each heard alone for long enough to be known."""
    seconds, at, spans = 0.0, 0.0, []
    people = draw(st.integers(1, 3))
    for turn in range(draw(st.integers(people, 8))):
        length = draw(st.integers(80, 200)) / 20
        spans.append((turn % people, at, at + length))
        seconds = max(seconds, at + length)
        at += length - (draw(st.sampled_from([0.0, 0.0, 1.0])) if people > 1 else -1.0)
    return conversation(*spans, seconds=seconds + 1)


@given(talking(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_faultless_segmentation_comes_back_as_it_was(talks, seed):
    found = diarized(talks, seed)
    order = sorted(range(talks.shape[1]), key=lambda who: talks[:, who].argmax())
    back = np.zeros_like(talks)
    for turn in found.turns:
        back[round(turn.start / STEP) : round(turn.end / STEP), order[int(turn.speaker[-2:])]] = True
    assert (back != talks).mean() < 0.02
    exclusive = np.zeros(len(talks), int)
    for turn in found.exclusive or ():
        exclusive[round(turn.start / STEP) : round(turn.end / STEP)] += 1
        assert talks[round(turn.start / STEP) : round(turn.end / STEP), order[int(turn.speaker[-2:])]].mean() > 0.9
    assert exclusive.max() == 1, "one at a time"


@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 6))
@settings(deadline=None)
def test_the_best_assignment_is_found_and_nobody_is_two_at_once(seed, few, speakers):
    similarities = np.random.default_rng(seed).normal(size=(few, speakers))
    found = assign(similarities, np.zeros(few, int))
    assert len(set(found)) == min(few, speakers)
    if few <= speakers:
        ways = itertools.permutations(range(speakers), few)
        best = max(sum(similarities[row, who] for row, who in enumerate(way)) for way in ways)
        assert similarities[np.arange(few), found].sum() == pytest.approx(best)


def test_windows_are_assigned_one_by_one():
    similarities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.7]])
    assert assign(similarities, np.array([0, 1, 1])).tolist() == [0, 0, 1]
    assert assign(similarities, np.array([0, 0, 1])).tolist() == [0, 1, 1]


@given(st.integers(0, 2**31), st.integers(1, 5))
@settings(deadline=None)
def test_as_many_talk_as_are_counted_but_none_without_a_vote(seed, speakers):
    rng = np.random.default_rng(seed)
    votes, count = rng.integers(0, 4, (40, speakers)).astype(float), rng.integers(0, 4, 40)
    found = most_voted(votes, count)
    np.testing.assert_array_equal(found.sum(axis=1), np.minimum(count, (votes > 0).sum(axis=1)))
    assert not (found & (votes == 0)).any()
    for row, chosen in zip(votes, found, strict=True):
        assert not chosen.any() or chosen.all() or row[chosen].min() >= row[~chosen].max()


def test_how_many_talk_is_the_mean_of_what_the_windows_say():
    active = np.zeros((3, 4, 2), bool)
    active[0, 2:, 0] = active[1, :2, 1] = active[1, :2, 0] = active[2, 0, 0] = True
    assert speaker_count(Segmentation(active, 2, 0.0, STEP)).tolist() == [0, 0, 2, 2, 0, 0, 0, 0]


def test_one_is_listened_to_where_it_talks_alone_unless_that_is_too_little():
    active = np.zeros((1, FRAMES, 3), bool)
    active[0, 100:300, 0] = active[0, 250:400, 1] = True
    active[0, 280 : 280 + round(0.5 * SHORTEST / STEP), 2] = True
    found = local_speakers(Segmentation(active, HOP, 1.0, STEP))
    assert found.places.tolist() == [[0, 0], [0, 1]], "the third talks for too short a moment"
    assert [(round(span.start, 6), round(span.end, 6)) for span in found.spans[0]] == [(3.0, 6.0)]
    active[0, 250:400, 0] = active[0, 380:400, 1] = True
    active[0, 100:240, 0] = False
    active[0, 400 : 400 + round(0.5 * ALONE / STEP), 1] = True
    (one, other) = local_speakers(Segmentation(active, HOP, 1.0, STEP)).spans
    assert sum(span.duration for span in other) == pytest.approx((150 + round(0.5 * ALONE / STEP)) * STEP), "all of it, others or not"
    assert one
