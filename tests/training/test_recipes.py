"""How long the digits models learn what, and how their weights become a file."""

import base64

import numpy as np
import pytest

from training.digits.export import gpt2_tokens, model_of
from training.digits.recipes import RATE, RECIPES
from training.digits.vocabulary import DIGIT_TOKENS, OTHER_ROW, ROW_TOKENS, ROWS, SIZE
from trax.models.ggml.check import check_whole
from trax.models.ggml.file import read, write
from trax.models.ggml.header import WhisperHeader
from trax.models.ggml.layout import layout
from trax.models.ggml.quantize import quantized


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_a_recipe_has_a_stage_for_every_step_and_a_rate_that_rises_and_falls(recipe):
    stages = [recipe.stage(step) for step in range(recipe.steps)]
    rates = [recipe.rate(step) for step in range(recipe.steps)]
    assert [stage for index, stage in enumerate(stages) if index == 0 or stage is not stages[index - 1]] == list(recipe.stages)
    assert max(rates) == RATE
    assert 0 < rates[0] < RATE / 100
    assert 0 < rates[-1] < RATE / 20
    with pytest.raises(IndexError):
        recipe.stage(recipe.steps)


def test_weights_become_a_model_whose_untrained_words_are_one(tmp_path):
    header = WhisperHeader(SIZE, 1500, 64, 1, 4, 448, 64, 1, 3, 80, "f16")
    draw = np.random.default_rng(0)
    weights = {
        tensor.name: draw.standard_normal(tensor.shape[:1] if tensor.name.endswith(".bias") else tensor.shape).astype(np.float32)
        for tensor in layout(header)
    }
    rows = weights["decoder.token_embedding.weight"] = draw.standard_normal((ROWS, 64)).astype(np.float32)
    file = tmp_path / "model.bin"
    write(quantized(model_of(weights, (b"a",) * 50256), "q8_0"), file)
    assert check_whole(file).weights == "q8_0"
    embedding = read(file).tensors["decoder.token_embedding.weight"].values()
    other = np.setdiff1d(np.arange(SIZE), ROW_TOKENS)
    assert (embedding[other] == embedding[other[0]]).all()
    assert np.abs(embedding[other[0]] - rows[OTHER_ROW]).max() < 0.05
    assert np.abs(embedding[list(DIGIT_TOKENS)] - rows[:10]).max() < 0.05


def test_tokens_are_read_in_the_order_of_their_ranks(tmp_path):
    file = tmp_path / "some.tiktoken"
    file.write_text("".join(f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in ((1, b" one"), (0, b"\xff"), (2, b"!"))))
    assert gpt2_tokens(file) == (b"\xff", b" one", b"!")
