"""Models that ship with Trax, in a copy of the folder they lie in."""

import shutil

import pytest

from trax.config import Settings, job_settings, snapshot
from trax.errors import ModelError
from trax.files import sha256_of
from trax.models.adding import add
from trax.models.catalogue import catalogue
from trax.models.choose import choose
from trax.models.removing import remove
from trax.models.store import installed, survey, verify
from trax.shipped import shipped


@pytest.fixture
def shipped_models(tmp_path, monkeypatch):
    """Where Trax looks for what it brings along: all it does bring, but for the Whisper models."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    for path in shipped("models").iterdir():
        if path.suffix != ".bin":
            shutil.copyfile(path, folder / path.name)
    monkeypatch.setattr("trax.models.store.shipped", lambda _name: folder)
    return folder


@pytest.fixture
def digits(shipped_models):
    """A file of the built-in model for digits that may be spoilt."""
    file = catalogue()["digits"].files[0].name
    shutil.copyfile(shipped("models") / file, shipped_models / file)
    return shipped_models / file


def settings(**changed):
    return job_settings(snapshot(Settings.model_validate(changed)))


def test_a_model_whose_file_is_not_there_is_not_there(shipped_models, state_models):
    found = survey(state_models)
    assert not {"digits", "digits-fast"} & {model.name for model in found.models}
    assert found.findings == ()
    assert verify(state_models) == ()


def test_a_shipped_model_is_built_in(digits, state_models):
    (model,) = [model for model in installed(state_models) if model.engine == "whisper"]
    assert (model.name, model.scope, model.languages, model.licence) == ("digits", "digits", ("en",), "CC-BY-SA-4.0")
    assert (model.path, model.size, model.sha256) == (str(digits), digits.stat().st_size, sha256_of(digits))
    assert model.version == model.sha256[:12]
    assert model.settings["weights"] == "q8_0"
    assert model.settings["parameters"] > 1_000_000
    assert survey(state_models).findings == ()
    assert verify(state_models) == ()


def test_a_shipped_model_is_never_chosen_but_when_named(digits, state_models):
    models = installed(state_models)
    assert choose(settings(), models, catalogue().pairs).asr.name == "pocketsphinx-en-us"
    with pytest.raises(ModelError, match=r"narrow field.*digits"):
        choose(settings(asr={"engine": "whisper"}), models, catalogue().pairs)
    assert choose(settings(asr={"fast_model": "digits"}), models, catalogue().pairs).asr.path == str(digits)


def test_a_changed_shipped_model_is_found_by_its_hash(digits, state_models):
    digits.write_bytes(digits.read_bytes()[:-1] + b"x")
    (finding,) = verify(state_models)
    assert (finding.model, finding.file) == ("digits", str(digits))
    assert "has changed" in finding.what
    assert "Install Trax again" in finding.advice


@pytest.mark.parametrize("damage", [b"", b"<html>", b"x" * 100])
def test_a_damaged_shipped_model_is_reported_and_the_others_stay(digits, state_models, damage):
    digits.write_bytes(damage)
    found = survey(state_models)
    (finding,) = found.findings
    assert (finding.model, finding.file) == ("digits", str(digits))
    assert "Install Trax again" in finding.advice
    assert "pocketsphinx-en-us" in {model.name for model in found.models}


def test_the_name_of_a_built_in_model_cannot_be_taken(write_ggml, state_models):
    with pytest.raises(ModelError, match="built-in"):
        add(write_ggml(), state_models, name="digits")


def test_an_older_model_of_that_name_gives_way_and_can_be_removed(digits, write_ggml, state_models):
    add(write_ggml(), state_models)
    card = state_models / "own" / "card.json"
    card.write_text(card.read_text().replace('"name": "own"', '"name": "digits"'))
    (state_models / "own").rename(state_models / "digits")

    found = survey(state_models)
    assert [model.path for model in found.models if model.name == "digits"] == [str(digits)]
    (finding,) = found.findings
    assert "not used" in finding.what
    assert "models remove digits" in finding.advice

    remove("digits", state_models)
    assert survey(state_models).findings == ()
    assert digits.is_file()
