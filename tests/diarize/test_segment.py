import numpy as np
import pytest
from networks import TWO_BANDS, low_and_high, two_bands

from trax.audio.pcm import Pcm
from trax.diarize.segment import HOP, Segmentation, Segmenter, load, save, segment
from trax.errors import Cancelled, ModelError
from trax.models.model import Model


def model(path, **settings) -> Model:
    return Model("listens", "segmentation", "pyannet", str(path), None, "1", "open", ("*",), "MIT", "", 0, {**TWO_BANDS, **settings})


@pytest.fixture
def pcm(tmp_path):
    sound = low_and_high((1.0, 8.0), (6.0, 14.0), (16.0, 21.0), seconds=23.4)
    np.round(sound * 32767).astype("<i2").tofile(tmp_path / "pcm.raw")
    with Pcm(tmp_path / "pcm.raw") as opened:
        yield opened


@pytest.mark.parametrize("form", [{}, {"has_channels": True}, {"is_powerset": False}, {"batch": 1}])
def test_each_window_says_who_talks_in_it(form, pcm, tmp_path):
    settings = {} if form.get("is_powerset", True) else {"at_once": None}
    seen: list[float] = []
    found = segment(pcm, Segmenter(model(two_bands(tmp_path / "m.onnx", **form), **settings), 1), seen.append, lambda: False)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert found.hop * found.step == pytest.approx(HOP, abs=found.step)
    assert found.start + found.frames * found.step > 23.3, "the windows reach to the end"
    for number, active in enumerate(found.active):
        middles = found.start + (number * found.hop + np.arange(len(active)) + 0.5) * found.step
        for speaker, spans in enumerate([[(1.0, 8.0), (16.0, 21.0)], [(6.0, 14.0)]]):
            sure = np.all([(abs(middles - edge) > 0.08) for span in spans for edge in span], axis=0)
            talks = np.any([(middles > start) & (middles < end) for start, end in spans], axis=0)
            np.testing.assert_array_equal(active[sure, speaker], talks[sure])


@pytest.mark.parametrize(("samples", "windows"), [(0, 0), (100, 1), (160_000, 1), (160_001, 2), (199_960, 2), (199_961, 3)])
def test_windows_cover_the_recording_and_no_more(samples, windows, tmp_path):
    np.zeros(samples, "<i2").tofile(tmp_path / "pcm.raw")
    with Pcm(tmp_path / "pcm.raw") as pcm:
        found = segment(pcm, Segmenter(model(two_bands(tmp_path / "m.onnx")), 1), lambda _: None, lambda: False)
    assert found.active.shape == (windows, 589, 2)
    assert not found.active.any()


def test_cancelling_ends_it_soon(pcm, tmp_path):
    seen: list[float] = []
    with pytest.raises(Cancelled):
        segment(pcm, Segmenter(model(two_bands(tmp_path / "m.onnx")), 1), seen.append, lambda: len(seen) == 1)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"speakers": 3}, "no segmentation of 3 speakers"),
        ({"speakers": None}, "how it is to be read"),
        ({"frame_step": 0.0}, "impossible"),
        ({"window_seconds": 0.01}, "impossible"),
    ],
)
def test_a_card_that_does_not_fit_the_network_is_told(settings, words, tmp_path):
    with pytest.raises(ModelError, match=words):
        Segmenter(model(two_bands(tmp_path / "m.onnx"), **settings), 1)


def test_a_card_that_tells_of_other_frames_than_there_are_is_told(pcm, tmp_path):
    segmenter = Segmenter(model(two_bands(tmp_path / "m.onnx"), frame_step=320 / 16_000), 1)
    with pytest.raises(ModelError, match="589 frames of a window"):
        segment(pcm, segmenter, lambda _: None, lambda: False)


def test_the_artefact_keeps_everything_in_a_bit_each_and_damage_is_told(tmp_path):
    active = np.random.default_rng(1).random((7, 589, 3)) < 0.3
    given = Segmentation(active, 148, 0.0225, 0.016875)
    path = tmp_path / "segmentation.npz"
    save(path, given)
    read = load(path)
    np.testing.assert_array_equal(read.active, active)
    assert (read.hop, read.start, read.step, read.frames) == (148, 0.0225, 0.016875, 6 * 148 + 589)
    assert path.stat().st_size < active.size / 8 + 2000
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ModelError):
        load(path)
    np.savez(path, shape=np.array([7, 589, 3]), bits=np.zeros(5, np.uint8), hop=148, times=np.array([0.0, 0.1]))
    with pytest.raises(ModelError):
        load(path)
