"""Networks small enough to be known by heart, as ONNX files with the inputs and outputs of the real ones."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def lively_bands(path: Path) -> Path:
    """In place of WeSpeaker: filter banks (b, frames, 80) to how much goes on in each band, the root of their mean squares (b, 80)."""
    nodes = [helper.make_node("ReduceL2", ["feats"], ["embs"], axes=[1], keepdims=0)]  # of unit length it is the same
    return write(path, nodes, ("feats", ["batch", "frames", 80]), ("embs", ["batch", 80]))


def last_samples(path: Path) -> Path:
    """In place of an x-vector: sound (b, samples) to its last ten milliseconds (b, 160)."""
    tensors = {"first": [-160], "last": [1 << 40], "axis": [1]}
    nodes = [helper.make_node("Slice", ["waveform", *tensors], ["embs"])]
    arrays = {name: np.array(value, np.int64) for name, value in tensors.items()}
    return write(path, nodes, ("waveform", ["batch", "samples"]), ("embs", ["batch", 160]), arrays)


def write(path: Path, nodes: list, takes: tuple, gives: tuple, arrays: dict[str, np.ndarray] | None = None) -> Path:
    """A file with this graph; `takes` and `gives` are names with axes, `arrays` its constants."""
    tensors = [numpy_helper.from_array(value, name) for name, value in (arrays or {}).items()]
    (into, out) = (helper.make_tensor_value_info(name, TensorProto.FLOAT, axes) for name, axes in (takes, gives))
    graph = helper.make_graph(nodes, "test", [into], [out], tensors)
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())
    return path


#: How `two_bands` is to be read, as the card of a segmentation says it.
TWO_BANDS = {"speakers": 2, "at_once": 2, "window_seconds": 10.0, "frame_step": 270 / 16_000, "frame_duration": 991 / 16_000}


def two_bands(path: Path, *, is_powerset: bool = True, has_channels: bool = False, batch: int | str = "batch") -> Path:
    """In place of PyanNet: one speaker is whatever sounds below 1 kHz, the other whatever sounds above 2 kHz; both may.

    Sound (b, samples) to powerset scores (b, frames, 4), or to a score of each speaker (b, frames, 2).
    """
    t = np.arange(-50, 51) / 16_000
    low, high = (2 * hz / 16_000 * np.sinc(2 * hz * t) * np.hamming(101) for hz in (1000, 2000))
    filters = np.stack([low, (t == 0) - high])[:, None].astype(np.float32)
    arrays = {
        "filters": filters,
        "axis": np.array([1], np.int64),
        "threshold": np.array(1e-5, np.float32),
        "sets": np.array([[0, 1, 0, 1], [0, 0, 1, 1]], np.float32),
        "steep": np.array(1e6, np.float32),
    }
    given = "channels" if not has_channels else "waveform"
    nodes = [] if has_channels else [helper.make_node("Unsqueeze", ["waveform", "axis"], ["channels"])]
    nodes += [
        helper.make_node("Conv", [given, "filters"], ["bands"], pads=[50, 50]),
        helper.make_node("Mul", ["bands", "bands"], ["powers"]),
        helper.make_node("AveragePool", ["powers"], ["means"], kernel_shape=[991], strides=[270]),
        helper.make_node("Sub", ["means", "threshold"], ["above"]),
        helper.make_node("Transpose", ["above"], ["scores2"], perm=[0, 2, 1]),
        helper.make_node("Mul", ["scores2", "steep"], ["steep2"]),
    ]
    last = ("MatMul", ["scores2", "sets"]) if is_powerset else ("Sigmoid", ["steep2"])
    nodes.append(helper.make_node(*last, ["scores"]))
    axes = [batch, 1, "samples"] if has_channels else [batch, "samples"]
    return write(path, nodes, ("waveform", axes), ("scores", [batch, "frames", 4 if is_powerset else 2]), arrays)


def low_and_high(*spans: tuple[float, float], seconds: float) -> np.ndarray:
    """What `two_bands` hears as two speakers who talk in turns: the first span is the first one's, the next the other's, and so on."""
    t = np.arange(round(seconds * 16_000)) / 16_000
    voices = [sum(np.sin(2 * np.pi * hz * t + hz) for hz in tones) for tones in ((180, 360, 540, 720), (2600, 3100, 4200, 5300))]
    sound = np.zeros(t.size)
    for number, (start, end) in enumerate(spans):
        sound += voices[number % 2] * ((t >= start) & (t < end)) * 0.05
    return sound.astype(np.float32)
