"""The ways in which ggml stores numbers: plainly, or in blocks that share a scale. Without numpy, which takes a while to load."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of numbers: its name, ggml's number for it, the numbers in a block and the bytes they take."""

    name: str
    type: int
    numbers: int
    size: int


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("f32", 0, 1, 4),
        Kind("f16", 1, 1, 2),
        Kind("q4_0", 2, 32, 18),
        Kind("q4_1", 3, 32, 20),
        Kind("q5_0", 6, 32, 22),
        Kind("q5_1", 7, 32, 24),
        Kind("q8_0", 8, 32, 34),
        Kind("q2_k", 10, 256, 84),
        Kind("q3_k", 11, 256, 110),
        Kind("q4_k", 12, 256, 144),
        Kind("q5_k", 13, 256, 176),
        Kind("q6_k", 14, 256, 210),
    )
}
#: Those quantised kinds that are read and written here. The others are only recognised.
QUANTISED = ("q8_0", "q5_0")
