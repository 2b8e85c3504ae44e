"""A Whisper model as its ggml file holds it: the header, mel filters, vocabulary and tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trax.errors import ModelError
from trax.models.ggml.blocks import LARGEST, PLAIN, dequantise, quantise
from trax.models.ggml.header import WhisperHeader
from trax.models.ggml.kinds import KINDS, QUANTISED


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One tensor of a model.

    `shape` counts as numpy does, the fastest dimension last; ggml writes it the other way round. `data` is an array of that shape for the
    kinds "f32" and "f16"; for "q8_0" and "q5_0" it is uint8 with the bytes of a row's blocks in its last dimension.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    data: NDArray[Any]

    @classmethod
    def of(cls, name: str, numbers: NDArray[Any], kind: str) -> Tensor:
        """The tensor that holds `numbers`, rounded to what `kind` can hold.

        Raises ModelError when they are not finite, too large for the kind, or their rows do not divide into blocks.
        """
        if kind not in PLAIN and kind not in QUANTISED:
            raise ModelError(f"Weights cannot be stored as {kind}.", advice=f"Take {', '.join([*PLAIN, *QUANTISED])}.")
        if numbers.shape[-1] % KINDS[kind].numbers:
            raise ModelError(
                f"The tensor {name} cannot be stored as {kind}: its rows of {numbers.shape[-1]} do not divide into blocks of 32.",
                advice="Store this model as f16.",
            )
        if numbers.size and not max(float(numbers.max()), -float(numbers.min())) <= LARGEST[kind]:  # nor when it is not a number
            raise ModelError(f"The tensor {name} holds numbers that are not finite, or too large for {kind}.")
        data = numbers.astype(PLAIN[kind], copy=False) if kind in PLAIN else quantise(numbers, kind)
        return cls(name, kind, numbers.shape, data)

    def values(self) -> NDArray[np.float32]:
        """The numbers, of shape `shape`."""
        return self.data.astype(np.float32, copy=False) if self.kind in PLAIN else dequantise(self.data, self.kind)


class LazyTensors(Mapping[str, Tensor]):
    """Tensors that are made each time they are asked for and not kept: a model larger than the memory can be made and written."""

    def __init__(self, makers: Mapping[str, Callable[[], Tensor]]) -> None:
        """`makers` tells for each name, in the order of the file, how its tensor is made."""
        self._makers = makers

    def __getitem__(self, name: str) -> Tensor:
        return self._makers[name]()

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


@dataclass(frozen=True, slots=True, eq=False)
class GgmlModel:
    """A whole model.

    Attributes:
        header: its dimensions.
        filters: the mel filters, (mels, bins of the spectrum), float32.
        vocabulary: the bytes of each token from 0 on; whisper.cpp makes up the names of the special tokens above them.
        tensors: by name, in the order of the file.
    """

    header: WhisperHeader
    filters: NDArray[np.float32]
    vocabulary: tuple[bytes, ...]
    tensors: Mapping[str, Tensor]
