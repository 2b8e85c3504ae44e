"""Through whisper.cpp, a widened model says the words that the small one says, when it says them."""

from __future__ import annotations

import pytest

from trax.asr.whisper import Whisper
from trax.models.ggml.check import check_whole
from trax.models.ggml.file import read, write
from trax.models.ggml.widen import DIMENSIONS, widened
from trax.transcript import Span

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


@pytest.fixture
def hear(whisper_card, talk_of_digits, pcm_of):
    """The words that a model hears in a few seconds of digits."""
    samples, _ = talk_of_digits(4)

    def heard(path):
        engine = Whisper(whisper_card(path, window_seconds=SECONDS, temperature_inc=0.0))
        with pcm_of(samples) as pcm:
            recognition = engine.transcribe(
                pcm,
                (Span(0.0, SECONDS - 0.1),),
                language="en",
                vocabulary=(),
                threads=1,
                on_progress=lambda _: None,
                is_cancelled=lambda: False,
            )
        return [word for segment in recognition.segments for word in segment.words]

    return heard


@pytest.mark.parametrize("name", DIMENSIONS)
def test_the_words_stay(hear, whisper_model, tmp_path, name):
    file = tmp_path / "wide.bin"
    write(widened(read(whisper_model), DIMENSIONS[name]), file)
    header = check_whole(file)
    fields = ("audio_context", "audio_width", "audio_heads", "audio_layers", "text_context", "text_width", "text_heads", "text_layers")
    assert tuple(getattr(header, field) for field in ("vocabulary", *fields, "mels")) == PUBLISHED[name]
    expected, found = hear(whisper_model), hear(file)
    file.unlink()  # pytest keeps what tests leave, and this is large
    assert len(expected) >= 3
    assert [word.text for word in found] == [word.text for word in expected]
    # sums in another order round otherwise, now and then to another step of an eight-bit activation
    assert [(word.start, word.end) for word in found] == [pytest.approx((word.start, word.end), abs=0.05) for word in expected]
    assert [word.score for word in found] == pytest.approx([word.score for word in expected], abs=0.05)
