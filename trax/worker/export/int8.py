"""Weights in eight bits: a quarter of the file and of the download, computed with as before.

Each row of a weight (what makes one output) has a scale of its own; the graph turns them back into float32 where they are used, once, when
the network is loaded. Computing in eight bits as well was no gain: with ONNX Runtime's dynamic quantisation WeSpeakerResNet34 took 1.6
times as long as in float32, and the cosine of XVectorSincNet fell below 0.999.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trax.errors import ModelError

#: Smaller ones stay as they are: they take no room and decide much.
_SMALLEST: Final = 1024
_LARGEST_STEP: Final = 127


def in_int8(model: bytes) -> bytes:
    """The same ONNX network with its large weights in eight bits. Raises ModelError when the package `onnx` is not installed."""
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError as error:
        raise ModelError("Converting a model needs the package onnx.", advice="Install it: pip install 'trax[export]'.") from error
    network = onnx.load_from_string(model)
    graph, rows = network.graph, _rows(network.graph)
    kept, nodes = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        axis = rows.get(tensor.name)
        if axis is None or values.dtype != np.float32 or values.size < _SMALLEST or values.shape[1] == 1:  # filters over the sound itself
            kept.append(tensor)
            continue
        axis %= values.ndim
        steps, scales = _stepped(values, axis)
        names = [f"{tensor.name}_{part}" for part in ("steps", "scales")]
        kept += [numpy_helper.from_array(steps, names[0]), numpy_helper.from_array(scales, names[1])]
        nodes.append(helper.make_node("DequantizeLinear", names, [tensor.name], axis=axis))
    made = helper.make_graph([*nodes, *graph.node], graph.name, graph.input, graph.output, kept)
    result = helper.make_model(made, opset_imports=network.opset_import, ir_version=network.ir_version, producer_name="trax")
    onnx.checker.check_model(result)
    return bytes(result.SerializeToString(deterministic=True))


def _rows(graph: Any) -> dict[str, int]:  # noqa: ANN401 - onnx has no types
    """By the name of a weight, the axis along which each part makes one output."""
    axes: dict[str, int] = {}
    for node in graph.node:
        match node.op_type:
            case "Conv":
                axes[node.input[1]] = 0
            case "Gemm":
                is_turned = any(each.name == "transB" and each.i for each in node.attribute)
                axes[node.input[1]] = 0 if is_turned else 1
            case "MatMul":
                axes[node.input[1]] = -1
            case "LSTM":
                axes[node.input[1]] = axes[node.input[2]] = 1  # (directions, gates, inputs)
    return axes


def _stepped(values: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers of -127 to 127 and the scale of each row."""
    others = tuple(each for each in range(values.ndim) if each != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scales = np.where(largest > 0, largest / _LARGEST_STEP, 1.0).astype(np.float32)
    return np.rint(values / scales).astype(np.int8), scales.reshape(-1)
