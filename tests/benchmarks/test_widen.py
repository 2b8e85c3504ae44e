"""The widener's command line, on models of random weights."""

import pytest
from widen import main

from trax.models.ggml.check import check_whole


def test_a_model_64_wide_with_one_head_becomes_a_whole_one_of_the_size_asked_for(write_ggml, tmp_path, capsys):
    small, wide = write_ggml(width=64, heads=1, encoder_layers=4, decoder_layers=3), tmp_path / "wide.bin"
    assert main([str(small), "tiny.en", str(wide)]) == 0
    header = check_whole(wide)
    assert (header.audio_width, header.audio_heads, header.audio_layers, header.text_heads, header.text_layers) == (384, 6, 4, 6, 4)
    assert str(wide) in capsys.readouterr().out


def test_a_model_that_does_not_divide_the_size_is_refused(write_ggml, tmp_path, capsys):
    assert main([str(write_ggml(width=4, heads=2)), "tiny.en", str(tmp_path / "wide.bin")]) == 1
    assert "width 384" in capsys.readouterr().err
    assert not (tmp_path / "wide.bin").exists()


def test_a_size_nobody_knows_is_a_mistake_in_the_command(write_ggml, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([str(write_ggml()), "enormous", str(tmp_path / "wide.bin")])
    assert "tiny.en" in capsys.readouterr().err
