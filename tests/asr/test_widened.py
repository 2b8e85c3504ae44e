"""Through whisper.cpp, a widened model says the words that the small one says, when it says them."""

from __future__ import annotations

import pytest

from trax.models.ggml.check import check_whole
from trax.models.ggml.file import read, write
from trax.models.ggml.quantize import quantized
from trax.models.ggml.widen import DIMENSIONS, widened

#: Vocabulary, then context, width, heads and layers of encoder and decoder, then mel bands, as the published models' files say; the last
#: has the English vocabulary and 80 bands of the model that it is made from.
PUBLISHED = {
    "tiny.en": (51864, 1500, 384, 6, 4, 448, 384, 6, 4, 80),
    "base.en": (51864, 1500, 512, 8, 6, 448, 512, 8, 6, 80),
    "small.en": (51864, 1500, 768, 12, 12, 448, 768, 12, 12, 80),
    "distil-small.en": (51864, 1500, 768, 12, 12, 448, 768, 12, 4, 80),
    "large-turbo": (51864, 1500, 1280, 20, 32, 448, 1280, 20, 4, 80),
}
SECONDS = 4.0  # a short window, which costs a large model less


@pytest.mark.timeout(1200)  # the largest takes seconds of its own, but minutes where the processors are busy
@pytest.mark.parametrize("name", DIMENSIONS)
def test_the_words_stay(hear, whisper_model, tmp_path, name):
    file = tmp_path / "wide.bin"
    write(widened(read(whisper_model), DIMENSIONS[name]), file)
    header = check_whole(file)
    fields = ("audio_context", "audio_width", "audio_heads", "audio_layers", "text_context", "text_width", "text_heads", "text_layers")
    assert tuple(getattr(header, field) for field in ("vocabulary", *fields, "mels")) == PUBLISHED[name]
    expected, found = (hear(model, 4, SECONDS, SECONDS - 0.1) for model in (whisper_model, file))
    file.unlink()  # pytest keeps what tests leave, and this is large
    assert len(expected) >= 3
    assert [word.text for word in found] == [word.text for word in expected]
    # sums in another order round otherwise, now and then to another step of an eight-bit activation
    assert [(word.start, word.end) for word in found] == [pytest.approx((word.start, word.end), abs=0.05) for word in expected]
    assert [word.score for word in found] == pytest.approx([word.score for word in expected], abs=0.05)


def test_unquantised_a_talk_stays_to_the_hundredth_of_a_second(hear, whisper_model, tmp_path):
    """Without eight-bit activations nothing is left of the difference but the last digits of the scores."""
    small, wide = tmp_path / "small.bin", tmp_path / "wide.bin"
    model = quantized(read(whisper_model), "f16")
    write(model, small)
    write(widened(model, DIMENSIONS["tiny.en"]), wide)
    expected, found = (hear(file, 12, 6.0) for file in (small, wide))
    assert len(expected) >= 10
    assert [(word.text, word.start, word.end) for word in found] == [(word.text, word.start, word.end) for word in expected]
    assert [word.score for word in found] == pytest.approx([word.score for word in expected], abs=0.02)
