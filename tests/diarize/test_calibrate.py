import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trax.diarize.calibrate import TRIED, Labelled, calibrate, confused, read_rttm
from trax.diarize.embed import Embeddings
from trax.diarize.windows import plan_windows
from trax.errors import ModelError
from trax.transcript import Span, Turn


def recording(between: float, speakers: int = 3, seed: int = 0) -> Labelled:
    """Speakers whose voices are `between` (cosine distance) apart take turns of eight seconds."""
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(64, speakers + 1)))[0].T
    voices = np.sqrt(1 - between) * axes[0] + np.sqrt(between) * axes[1:]
    turns = tuple(Turn(10.0 * at, 10.0 * at + 8, str(at % speakers)) for at in range(4 * speakers))
    speech = tuple(Span(turn.start, turn.end) for turn in turns)
    windows = plan_windows(speech)
    vectors = voices[(windows[:, 0] // 10).astype(int) % speakers] + 0.02 * np.random.default_rng(seed).normal(size=(len(windows), 64))
    return Labelled(speech, Embeddings(windows, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)), turns)


def test_the_threshold_lies_between_one_voice_and_two():
    found = calibrate([recording(0.5, seed=1), recording(0.45, seed=2)])
    assert 0.1 < found.threshold < 0.45
    assert found.confusion[0.3] == 0
    assert found.confusion[TRIED[-1]] > 0.5


def test_nothing_can_be_learnt_from_silence():
    with pytest.raises(ModelError, match="nothing can be learnt"):
        calibrate([Labelled((), Embeddings(np.zeros((0, 2), np.float32), np.zeros((0, 64), np.float32)), ())])


@given(names=st.permutations(["a", "b", "c", "d"]), turns=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_other_names_for_the_same_speakers_confuse_nothing(names, turns):
    reference = [Turn(10.0 * at, 10.0 * at + length, "abcd"[who]) for at, (who, length) in enumerate(turns)]
    renamed = [Turn(turn.start, turn.end, names["abcd".index(turn.speaker)]) for turn in reference]
    wrong, spoken = confused(reference, renamed)
    assert wrong == pytest.approx(0)
    assert spoken == pytest.approx(sum(length for _, length in turns))


def test_what_others_are_named_for_counts_and_overlap_does_not():
    reference = [Turn(0, 10, "a"), Turn(10, 20, "b"), Turn(18, 24, "a")]
    wrong, spoken = confused(reference, [Turn(0, 24, "x")])
    assert spoken == pytest.approx(22)  # without the two seconds of both
    assert wrong == pytest.approx(8)


def test_an_rttm_file_is_read_and_anything_else_refused(tmp_path):
    path = tmp_path / "talk.rttm"
    path.write_text("SPKR-INFO talk 1 <NA>\nSPEAKER talk 1 0.500 1.250 <NA> <NA> alice <NA> <NA>\n")
    assert read_rttm(path) == (Turn(0.5, 1.75, "alice"),)
    for wrong in ("SPEAKER talk 1 x y <NA> <NA> alice <NA> <NA>\n", "SPEAKER talk\n"):
        path.write_text(wrong)
        with pytest.raises(ModelError, match="cannot be read"):
            read_rttm(path)
    with pytest.raises(ModelError, match="cannot be read"):
        read_rttm(tmp_path / "none.rttm")
