import numpy as np
import pytest

from trax.diarize.features import gain, mel_spectrogram
from trax.errors import ModelError
from trax.models import ge2e
from trax.models.probe import probe_mel, probe_signal
from trax.models.setup import GE2E_FILE, setup_ge2e
from trax.shipped import shipped

ort = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx", reason="converting needs the extra `export`")


@pytest.fixture(scope="module")
def ge2e_path():
    path = shipped("models") / GE2E_FILE
    if not path.exists():
        pytest.skip(f"{path} is not there: `make setup` puts it in place")
    return path


def random_weights(seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"linear.weight": (256, 256), "linear.bias": (256,)}
    for layer in range(3):
        shapes |= {f"lstm.weight_ih_l{layer}": (1024, 40 if layer == 0 else 256), f"lstm.weight_hh_l{layer}": (1024, 256)}
        shapes |= {f"lstm.bias_ih_l{layer}": (1024,), f"lstm.bias_hh_l{layer}": (1024,)}
    return {name: rng.normal(0, 0.08, shape).astype(np.float32) for name, shape in shapes.items()}


def embed_by_hand(weights: dict[str, np.ndarray], mel: np.ndarray) -> np.ndarray:
    """The network by its definition in torch's documentation: gates in the order input, forget, cell, output."""
    rows = [frame.astype(np.float64) for frame in mel]
    for layer in range(3):
        w_ih, w_hh, b_ih, b_hh = (weights[f"lstm.{name}_l{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        hidden, cell, outputs = np.zeros(256), np.zeros(256), []
        for row in rows:
            i, f, g, o = np.split(w_ih @ row + b_ih + w_hh @ hidden + b_hh, 4)
            i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
            cell = f * cell + i * np.tanh(g)
            hidden = o * np.tanh(cell)
            outputs.append(hidden)
        rows = outputs
    positive = np.maximum(weights["linear.weight"] @ rows[-1] + weights["linear.bias"], 0)
    return positive / np.linalg.norm(positive)


def run(model: bytes | str, mel: np.ndarray) -> np.ndarray:
    return ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(["embedding"], {"mel": mel})[0]


def test_the_converted_network_computes_what_the_definition_says():
    weights = random_weights()
    mel = np.random.default_rng(2).uniform(0, 1, (3, 25, 40)).astype(np.float32)
    answer = run(ge2e.to_onnx(weights, source="test"), mel)
    for row, frames in zip(answer, mel, strict=True):
        np.testing.assert_allclose(row, embed_by_hand(weights, frames), atol=2e-6)


def test_conversion_gives_the_same_bytes_each_time():
    assert ge2e.to_onnx(random_weights(), source="test") == ge2e.to_onnx(random_weights(), source="test")


def test_silence_to_a_dead_network_gives_no_division_by_zero():
    weights = random_weights() | {"linear.weight": np.zeros((256, 256), np.float32), "linear.bias": np.full(256, -1, np.float32)}
    assert np.array_equal(run(ge2e.to_onnx(weights, source="test"), np.zeros((1, 160, 40), np.float32)), np.zeros((1, 256), np.float32))


@pytest.mark.parametrize(
    "damage",
    [
        lambda weights: weights.pop("linear.bias"),
        lambda weights: weights.update({"lstm.weight_ih_l1": np.zeros((1024, 40), np.float32)}),
        lambda weights: weights.update({"linear.bias": np.zeros(256)}),
        lambda weights: weights["linear.weight"].fill(np.nan),
    ],
)
def test_other_weights_are_refused(damage):
    weights = random_weights()
    damage(weights)
    with pytest.raises(ModelError, match="not the weights of GE2E"):
        ge2e.to_onnx(weights, source="test")


def test_the_check_refuses_a_network_that_is_another_or_none():
    with pytest.raises(ModelError, match="differs from the original"):
        ge2e.check(ge2e.to_onnx(random_weights(), source="test"))
    with pytest.raises(ModelError, match="does not run"):
        ge2e.check(b"no model")


def test_the_shipped_model_answers_as_the_original_does(ge2e_path):
    ge2e.check(ge2e_path.read_bytes())


def test_sound_to_embedding_is_as_with_the_original_front_end(ge2e_path):
    signal = probe_signal()
    mel = mel_spectrogram(signal * np.float32(gain(float(np.sqrt(np.mean(signal**2))))))
    embedding = run(str(ge2e_path), mel[None, :160])[0]
    expected = np.array(ge2e.reference()["probe_signal_embedding"])
    assert embedding @ expected >= 0.9999
    assert np.abs(embedding - expected).max() < 1e-4


def test_the_model_answers_each_window_of_a_batch_as_if_it_were_alone(ge2e_path):
    batch = np.stack([probe_mel(), probe_mel() * 0.3, probe_mel()[::-1]])
    together = run(str(ge2e_path), batch)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for row, mel in zip(together, batch, strict=True):
        np.testing.assert_allclose(run(str(ge2e_path), mel[None])[0], row, atol=1e-5)


def test_another_wheel_is_refused(tmp_path):
    wheel = tmp_path / "resemblyzer-0.1.4-py3-none-any.whl"
    wheel.write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(ModelError, match="not the wheel"):
        setup_ge2e(tmp_path, wheel)
    with pytest.raises(ModelError, match="Could not read the wheel"):
        setup_ge2e(tmp_path, tmp_path / "absent.whl")
    assert not (tmp_path / GE2E_FILE).exists()


def test_setting_up_again_gives_the_shipped_bytes(ge2e_path, tmp_path):
    try:
        made = setup_ge2e(tmp_path)
    except ModelError as error:
        if "could not fetch" in error.what.lower():
            pytest.skip(f"no package index is reachable: {error.what}")
        raise
    assert made.read_bytes() == ge2e_path.read_bytes()
