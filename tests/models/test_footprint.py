from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.models.footprint import footprint
from trax.models.model import EngineName, Model


def of(size: int, engine: EngineName = "whisper", **settings: Any) -> Model:
    return Model("x", "asr", engine, "/x", None, "1", "open", ("en",), "none", "none", size, settings)


@pytest.mark.parametrize(
    ("mebibytes", "parameters", "published"),
    [(466, 244_000_000, 852), (1536, 769_000_000, 2100), (2970, 1_550_000_000, 3900)],
    ids=["small", "medium", "large"],
)
def test_it_agrees_with_what_whisper_cpp_publishes_of_its_models(mebibytes, parameters, published):
    assert footprint(of(mebibytes << 20, parameters=parameters)) >> 20 == pytest.approx(published, rel=0.05)


@given(st.integers(0, 1 << 34), st.sampled_from(["whisper", "pocketsphinx", "ge2e", "silero"]), st.none() | st.integers(0, 10**10))
def test_it_is_never_less_than_the_file(size, engine, parameters):
    assert footprint(of(size, engine, parameters=parameters)) >= size
