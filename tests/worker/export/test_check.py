"""What is compared before a model is installed, and when it is refused."""

import wave

import numpy as np
import pytest

from trax.errors import ModelError
from trax.worker.export.check import LIKENESS, TOLERANCE, Agreement, agreement, check, pieces, read_speech

SPEECH = np.random.default_rng(1).normal(size=30 * 16_000).astype(np.float32) / 10


def vectors(sound: np.ndarray) -> np.ndarray:
    return np.stack([sound.mean(axis=1), sound.std(axis=1), sound.max(axis=1)], axis=1)


def test_a_network_agrees_with_itself_and_is_let_pass():
    found = agreement(vectors, vectors, pieces(SPEECH))
    assert (found.difference, found.cosine) == (0.0, pytest.approx(1.0))
    check(found, is_int8=False)
    check(found, is_int8=True)


def test_pieces_differ_in_length_and_number():
    shapes = [piece.shape for piece in pieces(SPEECH)]
    assert len({samples for _, samples in shapes}) == len(shapes)
    assert len({count for count, _ in shapes}) > 1


@pytest.mark.parametrize(
    ("difference", "cosine", "is_int8"), [(2 * TOLERANCE, 1.0, False), (0.0, LIKENESS - 1e-4, True), (np.nan, 1.0, False)]
)
def test_one_that_is_too_far_from_the_original_is_refused(difference, cosine, is_int8):
    with pytest.raises(ModelError, match=r"differs|too far"):
        check(Agreement(difference, cosine), is_int8=is_int8)


def test_the_worst_of_all_pieces_counts():
    seen = []

    def once_wrong(sound: np.ndarray) -> np.ndarray:
        seen.append(len(seen))
        return vectors(sound) + (0.5 if len(seen) == 3 else 0.0)

    found = agreement(vectors, once_wrong, pieces(SPEECH))
    assert found.difference == pytest.approx(0.5)
    assert found.cosine < 0.99


def test_numbers_that_are_missing_or_not_finite_are_refused():
    with pytest.raises(ModelError, match="the original"):
        agreement(vectors, lambda sound: vectors(sound)[:, :2], pieces(SPEECH))
    with pytest.raises(ModelError, match="the original"):
        agreement(vectors, lambda sound: vectors(sound) * np.nan, pieces(SPEECH))


def test_only_speech_of_the_right_form_is_compared_with(tmp_path):
    for name, rate, seconds in (("good", 16_000, 30), ("slow", 8000, 30), ("short", 16_000, 2)):
        with wave.open(str(tmp_path / name), "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(np.zeros(rate * seconds, "<i2").tobytes())
    assert read_speech(tmp_path / "good").shape == (480_000,)
    for name in ("slow", "short", "absent"):
        with pytest.raises(ModelError, match="speech to check"):
            read_speech(tmp_path / name)
