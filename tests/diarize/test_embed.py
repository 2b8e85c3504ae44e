from pathlib import Path

import av
import numpy as np
import pytest
from networks import last_samples, lively_bands

from trax.audio.pcm import SAMPLE_RATE, Pcm
from trax.diarize.embed import BATCH, Embeddings, Encoder, embed, load, save
from trax.diarize.fbank import centred, fbank_frames
from trax.diarize.features import gain, mel_spectrogram
from trax.diarize.noise import without_noise
from trax.diarize.turns import diarize
from trax.diarize.windows import plan_windows
from trax.errors import Cancelled, ModelError
from trax.models.model import Model
from trax.models.probe import probe_signal
from trax.shipped import shipped
from trax.transcript import Span


def ge2e(path: Path | None) -> Model:
    return Model("ge2e", "embedding", "ge2e", str(path) if path else None, None, "0.1.4", "open", ("*",), "Apache-2.0", "", 0)


@pytest.fixture(scope="module")
def model() -> Model:
    path = shipped("models") / "ge2e.onnx"
    if not path.exists():
        pytest.skip(f"{path} is not there: `make setup` puts it in place")
    return ge2e(path)


def write_pcm(path: Path, signal: np.ndarray) -> Path:
    np.round(np.clip(signal, -1, 1) * 32767).astype("<i2").tofile(path)
    return path


def run(pcm: Pcm, speech, model: Model, threads=1, seen=None, is_cancelled=lambda: False) -> Embeddings:
    return embed(pcm, speech, Encoder(model, threads), ([] if seen is None else seen).append, is_cancelled)


def read_flac(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)]).astype(np.float32) / 32768


def cleaned(signal: np.ndarray) -> np.ndarray:
    """Mel powers less their noise, ten seconds at a time."""
    mel = mel_spectrogram(signal)
    loudness = np.array([np.mean(signal[max(0, 160 * frame - 80) : 160 * frame + 80] ** 2) for frame in range(len(mel))])
    return np.concatenate([without_noise(mel[first : first + 1000], loudness[first : first + 1000]) for first in range(0, len(mel), 1000)])


def test_embeddings_are_those_of_the_sound_in_each_window(model, tmp_path):
    signal = np.tile(probe_signal(), 13)  # longer than two blocks, so that windows also lie across their border
    with Pcm(write_pcm(tmp_path / "pcm.raw", signal)) as pcm:
        found = run(pcm, [Span(0.0, 25.5)], model)
    assert found.vectors.dtype == found.windows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)
    mel, encode = cleaned(signal), Encoder(model, 1)
    for (start, _), vector in list(zip(found.windows, found.vectors, strict=True))[::6]:
        frame = round(float(start) * 100)
        level = np.sqrt(np.mean(signal[frame * 160 : (frame + 160) * 160] ** 2))
        (expected,) = encode((mel[frame : frame + 160] * gain(float(level)) ** 2)[None].astype(np.float32))
        assert vector @ expected > 0.9999


def test_progress_rises_to_one_and_threads_change_nothing(model, tmp_path):
    speech = [Span(0.3, 1.0), Span(2.0, 2.0 + 0.4 * (BATCH + 4))]
    with Pcm(write_pcm(tmp_path / "pcm.raw", np.tile(probe_signal(), 8))) as pcm:
        seen: list[float] = []
        once, again = run(pcm, speech, model, seen=seen), run(pcm, speech, model, threads=2)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 1
    np.testing.assert_array_equal(once.windows, plan_windows(speech))
    np.testing.assert_allclose(once.vectors, again.vectors, atol=1e-5)


def test_cancelling_ends_it_soon(model, tmp_path):
    seen: list[float] = []
    with Pcm(write_pcm(tmp_path / "pcm.raw", np.tile(probe_signal(), 20))) as pcm, pytest.raises(Cancelled):
        run(pcm, [Span(0.0, 40.0)], model, seen=seen, is_cancelled=lambda: len(seen) == 2)
    assert len(seen) == 2


def test_silence_gives_no_windows_and_speech_beyond_the_end_is_silence(model, tmp_path):
    with Pcm(write_pcm(tmp_path / "pcm.raw", probe_signal())) as pcm:
        assert run(pcm, [], model).vectors.shape == (0, 256)
        assert np.isfinite(run(pcm, [Span(1.5, 4.0)], model).vectors).all()


@pytest.mark.parametrize("engine", ["wespeaker", "xvector"])
def test_a_model_of_another_front_end_hears_the_sound_in_each_window(engine, tmp_path):
    made = lively_bands(tmp_path / "model.onnx") if engine == "wespeaker" else last_samples(tmp_path / "model.onnx")
    model = Model("mine", "embedding", engine, str(made), None, "1", "open", ("*",), "MIT", "", 0)
    signal = np.tile(probe_signal(), 8)[: 15 * SAMPLE_RATE]
    with Pcm(write_pcm(tmp_path / "pcm.raw", signal)) as pcm:
        found = run(pcm, [Span(0.5, 12.5), Span(13.0, 13.9)], model)
        heard = pcm.read(0, 99)
    assert found.vectors.shape == (len(found.windows), 80 if engine == "wespeaker" else 160)
    for (start, end), vector in zip(found.windows, found.vectors, strict=True):
        samples = heard[round(float(start) * 100) * 160 : round(float(end) * 100) * 160]
        frames = centred(fbank_frames(samples))
        expected = np.sqrt((np.resize(frames, (158, 80)) ** 2).mean(axis=0)) if engine == "wespeaker" else np.resize(samples, 25_600)[-160:]
        np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-4)


def test_a_model_whose_network_takes_something_else_is_refused_in_words(model, tmp_path):
    with pytest.raises(ModelError, match="no speaker embedding as wespeaker has them"):
        Encoder(Model("mine", "embedding", "wespeaker", model.path, None, "1", "open", ("*",), "MIT", "", 0), 1)
    with pytest.raises(ModelError, match="not a speaker embedding"):
        Encoder(Model("mine", "segmentation", "pyannet", model.path, None, "1", "open", ("*",), "MIT", "", 0), 1)


def test_a_file_that_is_no_embedding_is_refused(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    for path in (tmp_path / "bad.onnx", tmp_path / "absent.onnx", None):
        with pytest.raises(ModelError):
            Encoder(ge2e(path), 1)


def test_the_artefact_keeps_everything_and_damage_is_told(tmp_path):
    rng = np.random.default_rng(1)
    given = Embeddings(rng.random((5, 2)).astype(np.float32), rng.random((5, 256)).astype(np.float32))
    path = tmp_path / "embeddings.npz"
    save(path, given)
    kept = path.read_bytes()
    read = load(path)
    np.testing.assert_array_equal(read.windows, given.windows)
    np.testing.assert_array_equal(read.vectors, given.vectors)
    save(path, given)
    assert path.read_bytes() == kept
    path.write_bytes(kept[:-200])
    with pytest.raises(ModelError):
        load(path)
    np.savez(path, windows=given.windows, vectors=given.vectors[:3])
    with pytest.raises(ModelError, match="shape"):
        load(path)
    np.savez(path, windows=np.array([{"an": "object"}]), vectors=given.vectors)
    with pytest.raises(ModelError):
        load(path)


def test_two_people_reading_in_turn_are_told_apart(model, sample, tmp_path):
    names = ["1688-142285-0004", "2414-128291-0001", "1688-142285-0003", "2414-128291-0006"]
    gap, at, pieces, speech = np.zeros(SAMPLE_RATE // 2, np.float32), 0.0, [], []
    for name in names:
        signal = read_flac(sample(f"librispeech/test-other/{name}.flac"))
        speech.append(Span(at, at + signal.size / SAMPLE_RATE))
        at += (signal.size + gap.size) / SAMPLE_RATE
        pieces += [signal, gap]
    with Pcm(write_pcm(tmp_path / "pcm.raw", np.concatenate(pieces))) as pcm:
        embeddings = run(pcm, speech, model)
    turns = diarize(embeddings, speech, min_speakers=1, max_speakers=10, threshold=0.32).turns
    assert [turn.speaker for turn in turns] == ["SPEAKER_00", "SPEAKER_01"] * 2
    for turn, span in zip(turns, speech, strict=True):
        assert (turn.start, turn.end) == (pytest.approx(span.start, abs=0.01), pytest.approx(span.end, abs=0.01))
