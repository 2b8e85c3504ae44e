"""Networks small enough to be known by heart, as ONNX files with the inputs and outputs of the real ones."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def loudest_bands(path: Path) -> Path:
    """In place of WeSpeaker: filter banks (b, frames, 80) to the loudest moment of each band (b, 80)."""
    nodes = [helper.make_node("ReduceMax", ["feats"], ["embs"], axes=[1], keepdims=0)]
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
