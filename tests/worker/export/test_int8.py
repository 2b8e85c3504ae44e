"""Weights in eight bits: near enough, a quarter of the size, and the same network otherwise."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from trax.worker.export.int8 import in_int8

RNG = np.random.default_rng(3)
ARRAYS = {
    "filters": RNG.normal(size=(16, 1, 400)).astype(np.float32) / 20,
    "convolution": RNG.normal(size=(64, 16, 5)).astype(np.float32) / 9,
    "w": RNG.normal(size=(2, 128, 64)).astype(np.float32) / 8,
    "r": RNG.normal(size=(2, 128, 32)).astype(np.float32) / 6,
    "product": RNG.normal(size=(64, 48)).astype(np.float32) / 8,
    "gemm": RNG.normal(size=(40, 48)).astype(np.float32),
    "bias": RNG.normal(size=40).astype(np.float32),
}


def network() -> bytes:
    """A little of all that pyannote's networks are made of: sound (b, 1, n) to vectors (b, 40)."""
    nodes = [
        helper.make_node("Conv", ["sound", "filters"], ["filtered"], strides=[160]),
        helper.make_node("Conv", ["filtered", "convolution"], ["convolved"]),
        helper.make_node("Transpose", ["convolved"], ["turned"], perm=[2, 0, 1]),
        helper.make_node("LSTM", ["turned", "w", "r"], ["states"], hidden_size=32, direction="bidirectional"),
        helper.make_node("ReduceMean", ["states"], ["means"], axes=[0], keepdims=0),
        helper.make_node("Transpose", ["means"], ["batched"], perm=[1, 0, 2]),
        helper.make_node("Flatten", ["batched"], ["flat"]),
        helper.make_node("MatMul", ["flat", "product"], ["multiplied"]),
        helper.make_node("Gemm", ["multiplied", "gemm", "bias"], ["vectors"], transB=1),
    ]
    takes = helper.make_tensor_value_info("sound", TensorProto.FLOAT, ["batch", 1, "samples"])
    gives = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", 40])
    graph = helper.make_graph(nodes, "test", [takes], [gives], [numpy_helper.from_array(value, name) for name, value in ARRAYS.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.fixture(scope="module")
def both() -> tuple[onnxruntime.InferenceSession, onnxruntime.InferenceSession]:
    providers = ["CPUExecutionProvider"]
    return tuple(onnxruntime.InferenceSession(each, providers=providers) for each in (network(), in_int8(network())))


@given(seed=st.integers(0, 99), batch=st.integers(1, 3), samples=st.integers(2000, 9000))
@settings(max_examples=15, deadline=None)
def test_it_makes_nearly_the_same_of_any_sound(both, seed, batch, samples):
    sound = np.random.default_rng(seed).normal(size=(batch, 1, samples)).astype(np.float32)
    expected, found = (session.run(None, {"sound": sound})[0] for session in both)
    cosines = (expected * found).sum(axis=1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(found, axis=1)
    assert cosines.min() > 0.999


def test_large_weights_take_a_byte_each_and_what_filters_the_sound_stays():
    kept = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load_from_string(in_int8(network())).graph.initializer}
    assert kept["filters"].dtype == np.float32
    assert kept["bias"].dtype == np.float32
    for name, axis in {"convolution": 0, "w": 1, "r": 1, "product": 1, "gemm": 0}.items():
        steps, scales = kept[f"{name}_steps"], kept[f"{name}_scales"]
        assert steps.dtype == np.int8
        assert scales.shape == (ARRAYS[name].shape[axis],)
        rows = scales.reshape([-1 if each == axis else 1 for each in range(steps.ndim)])
        np.testing.assert_array_less(np.abs(steps * rows - ARRAYS[name]), np.broadcast_to(0.5001 * rows, steps.shape))


def test_the_same_network_gives_the_same_bytes():
    assert in_int8(network()) == in_int8(network())
