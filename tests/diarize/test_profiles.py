"""Whose voice it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.diarize.embed import Embeddings
from trax.diarize.profiles import likenesses, mean_voice, voices
from trax.transcript import Likeness, Turn, VoicePrint


def at(*degrees: float) -> list[np.ndarray]:
    """Unit vectors in a plane."""
    return [np.array([np.cos(np.radians(each)), np.sin(np.radians(each))]) for each in degrees]


def enrolled(**degrees: float) -> list[VoicePrint]:
    return [VoicePrint(name, tuple(map(float, at(angle)[0]))) for name, angle in degrees.items()]


def whom(found: dict[str, float], people: list[VoicePrint], accept: float = 0.9, suggest: float = 0.7) -> dict[str, Likeness]:
    return likenesses({label: at(angle)[0] for label, angle in found.items()}, people, accept=accept, suggest=suggest)


def test_the_near_are_accepted_the_less_near_suggested_and_the_others_unknown() -> None:
    found = whom({"S0": 2, "S1": 60, "S2": 200}, enrolled(Anna=0, Bob=90))
    assert found == {"S0": Likeness("Anna", 0.9994, is_accepted=True), "S1": Likeness("Bob", 0.866, is_accepted=False)}


def test_of_two_who_sound_like_one_person_the_more_alike_has_the_name_and_the_other_none_instead() -> None:
    people = enrolled(Anna=0, Bob=20)
    assert whom({"S0": 5, "S1": 1}, people) == {"S1": Likeness("Anna", 0.9998, is_accepted=True)}
    assert whom({"S0": 1, "S1": 1}, people) == {"S0": Likeness("Anna", 0.9998, is_accepted=True)}


def test_nobody_enrolled_or_nobody_speaking_names_nobody() -> None:
    assert whom({"S0": 1}, []) == whom({}, enrolled(Anna=0)) == {}


@given(
    st.dictionaries(st.sampled_from(["S0", "S1", "S2", "S3"]), st.floats(0, 360), max_size=4),
    st.dictionaries(st.sampled_from(["Anna", "Bob", "Cem"]), st.floats(0, 360), max_size=3),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_each_name_is_given_once_and_only_to_the_most_alike(
    found: dict[str, float], people: dict[str, float], one: float, other: float
) -> None:
    accept, suggest = max(one, other), min(one, other)
    given_names = whom(found, enrolled(**people), accept, suggest)
    assert len({each.name for each in given_names.values()}) == len(given_names)
    for label, likeness in given_names.items():
        similarities = {name: float(at(found[label])[0] @ at(angle)[0]) for name, angle in people.items()}
        assert similarities[likeness.name] == pytest.approx(max(similarities.values()))
        assert likeness.is_accepted == (likeness.similarity >= accept)
        assert likeness.similarity >= suggest


def test_a_speakers_voice_is_the_mean_of_the_windows_in_their_turns() -> None:
    windows = np.array([[0, 1], [0.5, 1.5], [1, 2], [2, 3]], np.float32)
    vectors = np.array(at(0, 45, 90, 90), np.float32)
    found = voices(Embeddings(windows, vectors), [Turn(0, 1, "S0"), Turn(1, 3, "S1"), Turn(5, 6, "S2")])
    assert sorted(found) == ["S0", "S1"], "of whom there is no window nothing is known"
    np.testing.assert_allclose(found["S0"], at(0)[0], atol=1e-6)
    np.testing.assert_allclose(found["S1"], at(90)[0], atol=1e-6)
    assert voices(Embeddings(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)), [Turn(0, 1, "S0")]) == {}


def test_a_speaker_between_windows_is_known_by_what_they_share() -> None:
    windows, vectors = np.array([[0, 1], [1, 2]], np.float32), np.array(at(0, 90), np.float32)
    (found,) = voices(Embeddings(windows, vectors), [Turn(0.9, 1.1, "S0")]).values()
    np.testing.assert_allclose(found, at(45)[0], atol=1e-6)


def test_voices_that_cancel_out_are_no_voice() -> None:
    assert not mean_voice(np.array([[1.0, 0.0], [-1.0, 0.0]])).any()
