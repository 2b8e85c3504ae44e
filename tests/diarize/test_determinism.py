"""The same recording has the same turns, however often and on however many cores it is heard."""

from pathlib import Path

import av
import numpy as np
import pytest

from trax.audio.pcm import Pcm
from trax.audio.silero import Silero
from trax.audio.vad import find_speech
from trax.diarize.embed import Encoder, embed
from trax.diarize.turns import diarize
from trax.diarize.voices import METHODS
from trax.models.silero import weights
from trax.models.store import installed

CONVERSATION = Path(__file__).resolve().parents[1] / "speech" / "conversation.ogg"


@pytest.fixture(scope="module")
def pcm(tmp_path_factory):
    path = tmp_path_factory.mktemp("pcm") / "pcm.raw"
    with av.open(str(CONVERSATION)) as source:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
        pieces = [piece.to_ndarray()[0] for frame in source.decode(audio=0) for piece in resampler.resample(frame)]
    np.concatenate(pieces).astype("<i2").tofile(path)
    with Pcm(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    found = [each for each in installed(tmp_path_factory.mktemp("models")) if each.kind == "embedding"]
    if not found:
        pytest.skip("no speaker embedding is there: `make setup` puts one in place")
    return found[0]


def turns(pcm, model, threads, method):
    speech = find_speech(pcm, Silero(weights()), lambda _: None)
    embeddings = embed(pcm, speech, Encoder(model, threads), lambda _: None, lambda: False)
    return diarize(embeddings, speech, min_speakers=1, max_speakers=10, threshold=float(model.settings["threshold"]), method=method)


@pytest.mark.parametrize("method", METHODS)
def test_turns_are_the_same_every_time_and_for_one_and_two_threads(pcm, model, method):
    first = turns(pcm, model, 1, method)
    assert first.turns
    assert turns(pcm, model, 1, method) == first
    assert turns(pcm, model, 2, method) == first


def test_two_voices_are_found(pcm, model):
    assert len({turn.speaker for turn in turns(pcm, model, 1, "agglomerative").turns}) == 2
