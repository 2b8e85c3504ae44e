import numpy as np
import pytest

from trax.models.ggml.file import read
from trax.models.mel import mel_filters

#: Of some bands where they are highest and how high, and the sum of all: mel_filters.npz of the package openai-whisper 20250625.
OPENAI = {
    80: ({0: (1, 0.02486259490), 40: (43, 0.01473556645), 79: (192, 0.00316471187)}, 1.999024092),
    128: ({0: (1, 0.01237398665), 64: (43, 0.01809151843), 127: (195, 0.00504160160)}, 3.190985541),
}


@pytest.mark.parametrize("bands", [80, 128])
def test_the_filters_are_those_of_openai(bands):
    peaks, total = OPENAI[bands]
    filters = mel_filters(bands)
    assert filters.shape == (bands, 201)
    assert {band: int(filters[band].argmax()) for band in peaks} == {band: peak for band, (peak, _) in peaks.items()}
    assert [filters[band].max() for band in peaks] == pytest.approx([height for _, height in peaks.values()], abs=1e-8)
    assert filters.sum(dtype=np.float64) == pytest.approx(total, abs=1e-6)


def test_the_filters_are_those_of_a_real_model(whisper_model):
    np.testing.assert_allclose(mel_filters(80), read(whisper_model).filters, rtol=0, atol=1e-8)
