"""A network in ONNX Runtime: one array in, one out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trax.errors import ModelError
from trax.models.model import Model


class Network:
    """The network in a model's file, on no more than `threads` cores. `takes` and `gives` are its axes, None where any size will do.

    Raises ModelError when it cannot be loaded, or does not make one array of one.
    """

    def __init__(self, model: Model, threads: int) -> None:
        import onnxruntime

        if model.path is None:
            raise ModelError(f"{model.name} has no file.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads would burn the other lane's cores
        options.enable_cpu_mem_arena = False  # an arena keeps the most it ever needed
        options.log_severity_level = 3  # of a published file it has much to remark that nobody here can mend
        if model.settings.get("weights") == "int8":
            options.add_session_config_entry("session.disable_quant_qdq", "1")  # so that they become float32 once, and not in every pass
        try:
            self._session = onnxruntime.InferenceSession(model.path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises classes of its own that share no other root
            raise ModelError(f"The network of {model.name} does not load: {error}.", file=model.path) from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type != "tensor(float)":
            raise ModelError(f"The network of {model.name} does not make one array of one.", file=model.path)
        self._input = inputs[0].name
        self.takes, self.gives = _axes(inputs[0].shape), _axes(outputs[0].shape)

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the network makes of an array; one that was published for a single piece at a time is given them one by one."""
        if self.takes[0] == 1 and len(batch) > 1:
            return np.concatenate([self(piece[None]) for piece in batch])
        return np.asarray(self._session.run(None, {self._input: batch})[0], dtype=np.float32)


def _axes(shape: list[Any]) -> tuple[int | None, ...]:
    """The axes of an array as ONNX tells them: a name stands for any size."""
    return tuple(size if isinstance(size, int) else None for size in shape)
