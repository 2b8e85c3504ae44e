"""Trax's models as its peers read them, and what a speed run makes of its figures."""

import json
from pathlib import Path

import jiwer
import numpy as np
import pytest
import speed
from digit_recordings import Recording, write_recording
from hypothesis import given
from hypothesis import strategies as st
from peers import roster
from peers.tokenizer import letters, merges
from peers.weights import tensors, to_ctranslate2, to_hugging_face
from speed import Result

from trax.models.ggml.file import read
from trax.models.ggml.hugging_face import converted
from trax.models.ggml.quantize import quantized


@pytest.fixture(scope="module")
def folder(whisper_model, tmp_path_factory):
    """The model as Hugging Face lays it out."""
    made = tmp_path_factory.mktemp("peers") / "hugging-face"
    to_hugging_face(whisper_model, made)
    return made


def test_what_a_peer_reads_is_the_same_model(whisper_model, folder):
    """There and back through the reader of such folders: the same dimensions, tokens and weights."""
    there, back = quantized(read(whisper_model), "f16"), converted(folder)
    assert back.header == there.header
    assert back.vocabulary == there.vocabulary
    assert list(back.tensors) == list(there.tensors)
    for name in there.tensors:
        assert np.array_equal(back.tensors[name].values(), there.tensors[name].values()), name


def test_the_weights_keep_the_values_of_the_quantised_ones(whisper_model):
    model = read(whisper_model)
    written = tensors(model)["model.decoder.embed_tokens.weight"]
    assert np.array_equal(written, model.tensors["decoder.token_embedding.weight"].values())


def test_the_merges_put_every_token_together_again(whisper_model):
    vocabulary = read(whisper_model).vocabulary
    found = merges(vocabulary)
    assert [first + second for first, second in found] == [token for token in vocabulary if len(token) > 1]
    assert len(set(found)) == len(found)
    assert (b" ", b"t") in found[:5], "GPT-2's first merge is of a space and a t"


def test_a_token_that_no_two_earlier_ones_make_is_refused():
    with pytest.raises(ValueError, match="abc"):
        merges([b"a", b"b", b"c", b"abc"])


@given(st.binary())
def test_letters_stand_for_bytes_one_to_one(token):
    assert len(letters(token)) == len(token)
    assert len(set(letters(bytes(range(256))))) == 256


def test_the_special_tokens_have_the_numbers_that_whisper_gives_them(whisper_model, folder):
    model = read(whisper_model)
    numbers = {token["content"]: token["id"] for token in json.loads((folder / "tokenizer.json").read_bytes())["added_tokens"]}
    assert numbers["<|endoftext|>"] == len(model.vocabulary) == 50256
    assert numbers["<|notimestamps|>"] == 50362
    assert numbers["<|30.00|>"] == model.header.vocabulary - 1


def test_a_peer_that_is_not_installed_is_skipped_with_the_reason(tmp_path):
    peer = roster.Peer("absent", "peer_absent", "ggml", python=tmp_path / "python")
    recording = Recording("conversation", tmp_path / "none.wav", 10.0, ("one",))
    (result,) = speed.side_by_side([peer], {"ggml": tmp_path}, recording, rounds=2, threads=1)
    assert "not set up" in result.failure
    assert "skipped" in result.row()


def test_a_peer_that_fails_says_why(tmp_path):
    recording = Recording("conversation", tmp_path / "none.wav", 10.0, ("one",))
    (result,) = speed.side_by_side([roster.TRAX], {"ggml": tmp_path / "no-model.bin"}, recording, rounds=1, threads=1)
    assert not result.runs
    assert result.failure


def _result(peer: roster.Peer, seconds: float) -> Result:
    runs = tuple(roster.Run(1.0, each, each, 100.0, "One, two.") for each in (seconds, seconds * 3, seconds / 2))
    return Result(peer, Recording("conversation", Path("x.wav"), 600.0, ("one", "three")), runs)


def test_goals_are_ratios_of_medians_and_the_lowest_size_counts():
    values, skipped = speed.goal_values(
        {
            "tiny.en": [_result(roster.TRAX, 4.0), _result(roster.PYWHISPERCPP, 12.0), _result(roster.FASTER_WHISPER, 8.0)],
            "distil-small.en": [
                _result(roster.TRAX, 20.0),
                _result(roster.PYWHISPERCPP, 50.0),
                _result(roster.FASTER_WHISPER, 30.0),
                _result(roster.FASTER_WHISPER_BATCHED, 10.0),
            ],
        }
    )
    assert values == {
        "speed_over_faster_whisper_tiny.en": 2.0,
        "speed_over_faster_whisper_distil-small.en": 0.5,
        "speed_over_pywhispercpp": 2.5,
        "five_minutes_seconds": 11.0,
    }
    assert set(skipped) == {"speed_over_faster_whisper_base.en", "speed_over_faster_whisper_small.en"}


def test_a_row_counts_the_words_that_are_right():
    assert "1 of 2, WER 50.0%" in _result(roster.TRAX, 4.0).row()


@pytest.mark.skipif(not roster.ENVIRONMENT.is_dir(), reason="the peers are not installed: make bench does it")
def test_faster_whisper_hears_the_same_words_from_the_converted_weights(whisper_model, data_folder, folder, tmp_path):
    recording = write_recording(data_folder, "window", 10.0, 0.3, tmp_path)
    to_ctranslate2(folder, tmp_path / "ctranslate2", roster.ENVIRONMENT / "ct2-transformers-converter")
    ours = roster.run(roster.TRAX, whisper_model, recording, 1, ())
    theirs = roster.run(roster.FASTER_WHISPER, tmp_path / "ctranslate2", recording, 1, ())
    heard, reference = (" ".join(Result(roster.TRAX, recording, (each,)).words) for each in (ours, theirs))
    # eight bits are rounded in another way, and a word here and there with them; wrong weights would leave none
    assert jiwer.wer(reference, heard) < 0.2
