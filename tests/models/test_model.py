import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.models.model import Model

text = st.text(max_size=20)
models = st.builds(
    Model,
    name=text,
    kind=st.sampled_from(["asr", "embedding", "vad"]),
    engine=st.sampled_from(["whisper", "pocketsphinx", "ge2e", "silero"]),
    path=st.none() | text,
    sha256=st.none() | text,
    version=text,
    scope=text,
    languages=st.lists(text, max_size=3).map(tuple),
    licence=text,
    source=text,
    size=st.integers(0, 2**40),
    settings=st.dictionaries(text, st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text, max_size=3),
    pulled=st.dictionaries(text, text, max_size=2),
    library=st.dictionaries(text, text, max_size=2),
)


@given(models)
def test_a_model_comes_back_from_json_as_it_was(model):
    assert Model.from_plain(json.loads(json.dumps(model.to_plain()))) == model


PLAIN = Model("m", "asr", "whisper", "/m.bin", None, "1", "open", ("en",), "MIT", "here", 3).to_plain()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "tts"},
        {"engine": "kaldi"},
        {"settings": ["threshold"]},
        {"pulled": ["file"]},
        {"languages": "en"},
        {"size": "many"},
        {"size": None},
    ],
)
def test_values_of_the_wrong_shape_are_refused(wrong):
    with pytest.raises((TypeError, ValueError)):
        Model.from_plain({**PLAIN, **wrong})


@pytest.mark.parametrize("key", ["pulled", "library"])
def test_a_card_may_say_nothing_of_what_is_empty_for_most(key):
    assert Model.from_plain({name: value for name, value in PLAIN.items() if name != key}).to_plain()[key] == {}


@pytest.mark.parametrize("key", sorted(PLAIN.keys() - {"pulled", "library"}))
def test_every_field_must_be_there(key):
    with pytest.raises(KeyError):
        Model.from_plain({name: value for name, value in PLAIN.items() if name != key})


def test_a_model_for_any_language_speaks_each():
    model = Model.from_plain({**PLAIN, "languages": ["*"]})
    assert model.speaks("en")
    assert model.speaks("cy")
    assert not Model.from_plain(PLAIN).speaks("cy")
