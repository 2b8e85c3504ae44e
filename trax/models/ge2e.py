"""GE2E, the built-in speaker embedding: from Resemblyzer's weights to ONNX, and the check that nothing was lost on the way.

The network (Wan et al., "Generalized end-to-end loss for speaker verification", ICASSP 2018; weights by Resemblyzer) reads mel frames with
three LSTM layers and maps the last hidden state through a linear layer and a ReLU onto the unit sphere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trax.errors import ModelError
from trax.models.probe import probe_mel
from trax.shipped import shipped

MEL_BANDS: Final = 40
HIDDEN: Final = 256
LAYERS: Final = 3
EMBEDDING: Final = 256

#: Largest difference from the original in any of the 256 numbers; float32 sums in another order differ by about 1e-6.
TOLERANCE: Final = 1e-4

# torch keeps the gates in the order input, forget, cell, output; ONNX wants input, output, forget, cell
_ONNX_GATES: Final = (0, 3, 1, 2)

# fixed, so that the same weights give the same bytes whatever version of onnx writes them
_OPSET: Final = 17
_IR_VERSION: Final = 8

_Weights = Mapping[str, NDArray[Any]]


def to_onnx(weights: _Weights, *, source: str) -> bytes:
    """The encoder as an ONNX model: `mel` (batch, frames, 40) float32 to `embedding` (batch, 256) float32 of unit length.

    Args:
        weights: torch's names to arrays, as in Resemblyzer's `model_state`; what inference does not need is left out.
        source: where the weights come from, kept in the model's metadata.

    Raises:
        ModelError: a weight is missing, of the wrong shape or not finite; or the package `onnx` is not installed.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise ModelError("Converting a model needs the package onnx.", advice="Install it: pip install 'trax[export]'.") from error

    nodes = [helper.make_node("Transpose", ["mel"], ["layer0"], perm=[1, 0, 2])]
    tensors: dict[str, NDArray[Any]] = {"layers": np.array([0], np.int64), "directions": np.array([1], np.int64)}
    for layer in range(LAYERS):
        inputs = MEL_BANDS if layer == 0 else HIDDEN
        ours = {name: f"{name}{layer}" for name in ("W", "R", "B")}
        tensors[ours["W"]] = _gates(_weight(weights, f"lstm.weight_ih_l{layer}", (4 * HIDDEN, inputs)))[None]
        tensors[ours["R"]] = _gates(_weight(weights, f"lstm.weight_hh_l{layer}", (4 * HIDDEN, HIDDEN)))[None]
        biases = [_gates(_weight(weights, f"lstm.bias_{kind}_l{layer}", (4 * HIDDEN,))) for kind in ("ih", "hh")]
        tensors[ours["B"]] = np.concatenate(biases)[None]
        outputs = [f"states{layer}", f"last{layer}"]
        nodes.append(helper.make_node("LSTM", [f"layer{layer}", *ours.values()], outputs, hidden_size=HIDDEN))
        if layer + 1 < LAYERS:  # of the last layer only the end is read
            nodes.append(helper.make_node("Squeeze", [f"states{layer}", "directions"], [f"layer{layer + 1}"]))
    tensors["projection"] = _weight(weights, "linear.weight", (EMBEDDING, HIDDEN))
    tensors["offset"] = _weight(weights, "linear.bias", (EMBEDDING,))
    tensors["tiny"] = np.array(1e-12, np.float32)
    nodes += [
        helper.make_node("Squeeze", [f"last{LAYERS - 1}", "layers"], ["summary"]),
        helper.make_node("Gemm", ["summary", "projection", "offset"], ["projected"], transB=1),
        helper.make_node("Relu", ["projected"], ["positive"]),
        helper.make_node("ReduceL2", ["positive"], ["length"], axes=[1], keepdims=1),
        helper.make_node("Max", ["length", "tiny"], ["divisor"]),
        helper.make_node("Div", ["positive", "divisor"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "ge2e",
        [helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["batch", "frames", MEL_BANDS])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", EMBEDDING])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, producer_name="trax", opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    helper.set_model_props(model, {"licence": "Apache-2.0", "source": source})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def check(model: bytes) -> None:
    """Compare a model's answer to the probe with the original's (`models/ge2e.reference.json`).

    Raises:
        ModelError: the model does not load, or its answer differs by more than `TOLERANCE`.
    """
    import onnxruntime

    expected = np.array(reference()["probe_mel_embedding"], np.float32)
    try:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        (embedding,) = session.run(["embedding"], {"mel": probe_mel()[None]})
    except Exception as error:  # ONNX Runtime raises classes of its own that share no other root
        raise ModelError(f"The GE2E model does not run: {error}.") from error
    difference = float(np.abs(embedding[0] - expected).max()) if embedding.shape == (1, EMBEDDING) else np.inf
    if not difference <= TOLERANCE:
        raise ModelError(f"The GE2E model differs from the original by {difference:.1e} where at most {TOLERANCE:.0e} is right.")


def reference() -> dict[str, Any]:
    """What the original says of the probe inputs; made by `training/ge2e_reference.py`."""
    path = shipped("models") / "ge2e.reference.json"
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise ModelError(f"The reference of the GE2E model cannot be read: {error}.", file=str(path)) from error


def _weight(weights: _Weights, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    value = weights.get(name)
    if value is None or value.shape != shape or value.dtype != np.float32 or not np.isfinite(value).all():
        found = "missing" if value is None else f"{value.dtype} {value.shape}"
        raise ModelError(f"These are not the weights of GE2E: {name} should be finite float32 {shape}, and is {found}.")
    return value


def _gates(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of the four gates from torch's order to ONNX's."""
    parts = np.split(value, 4)
    return np.concatenate([parts[gate] for gate in _ONNX_GATES])
