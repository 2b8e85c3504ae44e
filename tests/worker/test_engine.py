"""A whisper.cpp of this machine's own: tried in processes of its own, refused in words, and used by real workers.

Nothing is compiled here, which takes minutes and needs a compiler; the build is the wheel's in another place.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from own_build import put_build

from trax.asr import native
from trax.asr.library import Library, wheel
from trax.asr.native import Processor
from trax.config import Settings, snapshot
from trax.errors import EngineError
from trax.models.catalogue import catalogue
from trax.models.model import Model
from trax.pipeline.stages import model_identity
from trax.shipped import shipped
from trax.worker import engine
from trax.worker.engine import Trial, judge, variants

HEARD = [["digits", 1, [["one", 0.1, 0.4]]], ["digits", 2, [["one", 0.1, 0.4]]]]
BEFORE = Trial(HEARD, 2.0)


def test_what_hears_the_same_and_sooner_passes():
    judge(BEFORE, Trial([["digits", 1, [["one", 0.2, 0.5]]], ["digits", 2, [["one", 0.2, 0.5]]]], 1.0))


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (Trial([["digits", threads, [["two", 0.1, 0.4]]] for threads in (1, 2)], 1.0), "does not hear the words"),
        (Trial([["digits", threads, []] for threads in (1, 2)], 1.0), "does not hear the words"),
        (Trial([HEARD[0], ["digits", 2, [["one", 0.1, 0.5]]]], 1.0), "With more threads"),
        (Trial(HEARD, 2.0), "not faster"),
    ],
)
def test_what_hears_anything_else_or_gains_nothing_is_refused(after, said):
    with pytest.raises(EngineError, match=said):
        judge(BEFORE, after)


def test_amx_is_tried_first_and_may_be_left_out():
    assert [variant.name for variant in variants(Processor("", ("amx_int8", "avx2")))] == ["native, AMX", "native, without AMX"]
    assert [variant.name for variant in variants(Processor("", ("avx2",)))] == ["native"]


def test_a_build_is_heard_as_the_wheels_in_a_process_of_its_own(tmp_path):
    build = put_build(tmp_path / "engine")
    before = engine.trial(wheel())
    after = engine.trial(Library(build.package, build.variant, build.sha256, str(tmp_path / "engine" / build.file)))
    assert after.heard == before.heard
    assert all(len(words) > 30 for words in before.words), "the sample has 38 digits"
    assert {(model, threads) for model, threads, _ in after.heard} == {
        (model, threads) for model in ("digits-fast", "digits", "tiny.en") for threads in (1, 2)
    }


def test_what_is_no_module_is_refused_in_words(tmp_path):
    file = tmp_path / f"whisper{native.python_ending()}"
    file.write_bytes(b"no module")
    with pytest.raises(EngineError, match=r"could not be tried: .*cannot be loaded"):
        engine.trial(Library("pywhispercpp 1.5.1", "native", "0" * 64, str(file)))


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_build_that_crashes_is_refused_in_words(tmp_path):
    file = tmp_path / f"whisper{native.python_ending()}"
    source = "void *PyInit__pywhispercpp(void) { __builtin_trap(); }"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", file, "-x", "c", "-"], input=source.encode(), check=True)
    with pytest.raises(EngineError, match=r"crashed: .*signal"):
        engine.trial(Library("pywhispercpp 1.5.1", "native", "0" * 64, str(file)))


def test_only_the_source_that_is_known_is_opened(tmp_path):
    file = tmp_path / "source.tar.gz"
    file.write_bytes(b"something else")
    with pytest.raises(EngineError, match="not the source of pywhispercpp"):
        engine._unpacked(file, tmp_path / "into")


def test_only_the_encoder_is_changed():
    (encoder, pad, no_pad), (_, flash, always), (state, half, whole) = engine._CHANGES
    rest = f"{flash}\n{pad}\n"
    source = f"{rest}{encoder}\n{pad}\n{flash}\n{rest}{state}\n{half}\n{half}"
    changed = f"{rest}{encoder}\n{no_pad}\n{always}\n{rest}{state}\n{whole}\n{half}"
    assert engine.with_flash_encoder(source) == changed
    with pytest.raises(EngineError, match="not the one that Trax knows"):
        engine.with_flash_encoder(rest)


def test_what_is_missing_to_compile_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=r"lacks cmake, make, a C.. compiler"):
        engine.make(tmp_path / "engine", None, lambda _: None)
    assert not (tmp_path / "engine").exists()


def test_a_build_is_removed_and_the_wheels_used(tmp_path):
    put_build(tmp_path / "engine")
    assert engine.remove(tmp_path / "engine")
    assert not engine.remove(tmp_path / "engine")
    assert native.chosen(tmp_path / "engine") == native.Choice(wheel())


def test_the_tools_tell_which_is_used(tmp_path):
    build = put_build(tmp_path / "engine")
    command = [sys.executable, "-m", "trax.worker.tools", "engine", "show", "--state", str(tmp_path)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert told["used"]["sha256"] == build.sha256
    assert told["refusal"] is None


def planned(lane, task, number):
    """The first model of a job in digits, as a worker plans it."""
    settings = snapshot(Settings(asr={"fast_model": "digits-fast"}, stages={"refine": False, "diarize": False}))
    lane.say(task(number, "plan", settings=settings))
    message, _ = lane.answer()
    assert message["event"] == "done", message
    return message["result"]["asr"]


@pytest.fixture
def silence(tmp_path) -> None:
    """A second of nothing, in which voice activity found somebody all the same."""
    (tmp_path / "pcm.raw").write_bytes(bytes(32_000))
    (tmp_path / "vad.json").write_text(json.dumps({"speech": [[0.0, 1.0]], "duration": 1.0}))


def heard_with(lane, task, number, model):
    lane.say(task(number, "transcribe", "fast.json", inputs={"pcm": "pcm.raw", "vad": "vad.json"}, models={"asr": model}))
    return lane.answer()[0]


def test_a_worker_uses_the_build_that_its_job_was_planned_with(lanes, task, tmp_path, silence):
    by_wheel = planned(lanes(), task, 1)
    put_build(tmp_path / "engine")
    own = planned(lanes(), task, 1)
    assert by_wheel["library"] == wheel().to_plain()
    assert own["library"]["path"].startswith(str(tmp_path / "engine"))
    assert model_identity(own) != model_identity(by_wheel), "what one has heard must not be taken for the other's"
    lane = lanes()
    assert heard_with(lane, task, 1, own)["event"] == "done"
    maps = Path(f"/proc/{lane.process.pid}/maps").read_text()
    assert own["library"]["path"] in maps
    answer = heard_with(lane, task, 2, by_wheel)
    assert answer["error"]["code"] == "worker-outdated", "two builds in one process would be one too many"


def test_a_job_whose_build_is_gone_is_tried_again(lanes, task, tmp_path, silence):
    put_build(tmp_path / "engine")
    model = planned(lanes(), task, 1)
    engine.remove(tmp_path / "engine")
    answer = heard_with(lanes(), task, 1, model)
    assert answer["error"]["code"] == "library-changed"
    assert not answer["error"]["permanent"]


def test_models_are_the_same_wherever_their_library_lies():
    file = shipped("models") / catalogue()["digits"].files[0].name
    model = Model("digits", "asr", "whisper", str(file), None, "1", "digits", ("en",), "none", "tests", 1).to_plain()
    library = Library("pywhispercpp 1.5.1", "native", "0" * 64, "/here").to_plain()
    elsewhere = model_identity({**model, "library": library | {"path": "/there"}})
    assert elsewhere == model_identity({**model, "library": library})
