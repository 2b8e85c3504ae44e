import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.diarize.embed import Embeddings
from trax.diarize.turns import diarize
from trax.diarize.voices import METHODS, NEAR, Voices, find_voices
from trax.diarize.windows import plan_windows
from trax.transcript import Span

THRESHOLD = 0.32


def talk(distances: list[float], seconds: float = 12.0, seed: int = 0) -> tuple[Embeddings, tuple[Span, ...]]:
    """Speakers one after the other, each this far (cosine distance) from the first, all the further from each other."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(128, len(distances) + 1)))[0].T
    voices = [(1 - far) * axes[0] + np.sqrt(1 - (1 - far) ** 2) * axis for far, axis in zip(distances, axes[1:], strict=True)]
    speech = tuple(Span(number * (seconds + 1), number * (seconds + 1) + seconds) for number in range(len(distances)))
    windows = plan_windows(speech)
    vectors = np.stack(voices)[(windows[:, 0] // (seconds + 1)).astype(int)] + 0.01 * rng.normal(size=(len(windows), 128)) / 4
    return Embeddings(windows, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)), speech


def found(embeddings: Embeddings, method=METHODS[0]) -> Voices:
    return find_voices(embeddings, min_speakers=1, max_speakers=10, threshold=THRESHOLD, method=method)


@pytest.mark.parametrize("method", METHODS)
@given(seed=st.integers(0, 1000), speakers=st.integers(2, 4))
@settings(max_examples=15, deadline=None)
def test_every_method_finds_separate_voices_in_order(method, seed, speakers):
    embeddings, _ = talk([0.0, *[0.8] * (speakers - 1)], seed=seed)
    voices = found(embeddings, method)
    assert len(voices.means) == speakers
    owners = (embeddings.vectors @ voices.means.T).argmax(axis=1)
    assert (np.diff(owners) >= 0).all()
    assert not voices.alike
    assert not voices.mixed


def test_two_who_sound_alike_are_told_of():
    voices = found(talk([0.0, THRESHOLD + NEAR / 2, 0.9])[0])
    assert voices.alike == ((0, 1),)
    assert not voices.mixed


def test_one_who_sounds_like_two_is_told_of():
    voices = found(talk([0.0, THRESHOLD - NEAR / 2, 0.9])[0])
    assert len(voices.means) == 2
    assert voices.mixed == (0,)


def test_the_turns_warn_in_their_own_names():
    def warnings(*distances: float) -> tuple[str, ...]:
        embeddings, speech = talk(list(distances))
        return diarize(embeddings, speech, min_speakers=1, max_speakers=10, threshold=THRESHOLD).warnings

    assert warnings(0.0, 0.9) == ()
    assert warnings(0.0, THRESHOLD + NEAR / 2) == ("SPEAKER_00 and SPEAKER_01 sound so alike that they may be one person.",)
    assert warnings(0.0, 0.9, THRESHOLD - NEAR / 2) == ("SPEAKER_00 may be two people who sound alike.",)
