"""Beds for diarization, and what is made of its scores."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from diarization_beds import COUNTS, KINDS, conversations, meetings, mixtures
from diarization_page import UP_TO, Bed, Outcome, Result, doubt, tables
from hypothesis import given
from hypothesis import strategies as st
from scoring import confused, diarization_errors, overlapped

from training.embedding.split import is_left_out
from trax.diarize.voices import METHODS
from trax.transcript import DOUBTFUL_TURN, Turn


@pytest.fixture(scope="module")
def joined(data_folder):
    return tuple(conversations(data_folder, 1, counts=(2, 3)))


def test_every_kind_has_its_conversations_of_people_left_out_of_training(joined):
    assert [each.name for each in joined] == [f"{count}-{kind}-1" for count in (2, 3) for kind in KINDS]
    assert [each.speakers for each in joined] == [2, 2, 2, 3, 3, 3]
    assert all(is_left_out(turn.speaker) for each in joined for turn in each.turns)


def test_turns_lie_inside_the_sound_and_everybody_says_enough(joined):
    for each in joined:
        assert all(0 <= turn.start < turn.end <= each.duration for turn in each.turns)
        for speaker in {turn.speaker for turn in each.turns}:
            assert sum(turn.end - turn.start for turn in each.turns if turn.speaker == speaker) >= 8


def test_only_remarks_overlap(joined):
    for each in joined:
        assert (overlapped(each.turns) > 0) == any(left.end > right.start for left, right in itertools.pairwise(each.turns))
        if "gaps" in each.name:
            assert overlapped(each.turns) == 0


def test_the_same_seed_gives_the_same_bytes(joined, data_folder):
    for one, other in zip(joined, conversations(data_folder, 1, counts=(2, 3)), strict=True):
        assert one.turns == other.turns
        assert np.array_equal(one.samples, other.samples)


def test_the_other_beds_come_with_their_references(data_folder):
    assert len(list(meetings(data_folder))) == 6
    assert all(mixture.speakers == 2 for mixture in itertools.islice(mixtures(data_folder), 3))


spans = st.tuples(st.floats(0, 50), st.floats(0.1, 9), st.sampled_from("ab"))


@given(st.lists(spans, max_size=8))
def test_the_floor_is_what_naming_one_speaker_at_a_time_misses(parts):
    turns = [Turn(round(start, 2), round(start, 2) + round(length, 2), who) for start, length, who in parts]
    grid = np.arange(0.005, 60, 0.01)
    together = sum(((grid >= turn.start) & (grid < turn.end)).astype(int) for turn in turns) if turns else np.zeros(1)
    assert overlapped(turns) == pytest.approx(np.maximum(np.asarray(together) - 1, 0).sum() / 100, abs=0.2)


def test_confused_is_the_time_of_others_turn_by_turn():
    reference = [Turn(0, 10, "a"), Turn(10, 20, "b")]
    found = [Turn(0, 12, "x"), Turn(12, 20, "y"), Turn(25, 26, "x")]
    assert confused(reference, found) == pytest.approx((2, 0, 0))


def result(speakers: int, turns: list[tuple[Turn, float]]) -> Result:
    errors = diarization_errors([Turn(0, 10, "a")], [Turn(0, 8, "x")], duration=10, collar=0.0)
    return Result("one", speakers, 0, errors, errors, tuple(turns))


def test_doubt_is_told_by_duration():
    sure, unsure = Turn(0, 8, "a", 1.0), Turn(8, 10, "b", DOUBTFUL_TURN / 2)
    outcome = Outcome((result(2, [(sure, 0.5), (unsure, 1.5)]),))
    said = doubt([Bed("bed", 10.0, 0.0, 10.0, 0.0, dict.fromkeys(METHODS, outcome))])
    assert "20.0 % of the talk" in said
    assert "75.0 % of what" in said


def test_every_bed_has_a_row_and_every_method_one_for_each_kind():
    def bed(count: int) -> Bed:
        outcome = Outcome((result(count, [(Turn(0, 8, "x", 1.0), 0.0)]),))
        return Bed(f"{count} speakers", 60.0, 1.0, 10.0, 0.5, dict.fromkeys(METHODS, outcome))

    beds = [replace(bed(2), name="AMI"), replace(bed(2), name="mix"), *map(bed, COUNTS)]
    rows = [line for line in tables(beds).splitlines() if line.startswith("| ") and not line.startswith("| bed")]
    assert len(rows) == len(beds) + 4 * len(METHODS)
    assert sum(f"up to {UP_TO}" in row for row in rows) == len(METHODS)
