"""What a worker keeps loaded, seen from outside: real processes, real engines."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from trax.models.catalogue import catalogue
from trax.models.footprint import footprint
from trax.models.model import Model
from trax.models.wheels import find_in_wheel
from trax.plain import spans_to_plain
from trax.shipped import shipped
from trax.transcript import Span

MB = 1 << 20
#: Budgets, bytes, for one or two of the Whisper models here: a worker takes 48 MB, each model 40, and before it loads 84 must be free.
ONE, TWO = 150 * MB, 195 * MB

Whisper = Callable[..., Model]


@pytest.fixture
def whisper(whisper_model: Path) -> Whisper:
    """Makes models of one real file: to a cache, those of different names are different models."""
    size = whisper_model.stat().st_size

    def make(name: str, window: float = 6.0) -> Model:
        settings = {"window_seconds": window, "temperature_inc": 0.0}
        return Model(name, "asr", "whisper", str(whisper_model), None, "1", "digits", ("en",), "none", "ours", size, settings)

    return make


@pytest.fixture
def silero() -> Model:
    return find_in_wheel(catalogue()["silero-vad"])


@pytest.fixture
def ge2e() -> Model:
    path = shipped("models") / "ge2e.onnx"
    if not path.exists():
        pytest.skip(f"{path} is not there: `make setup` puts it in place")
    return Model("ge2e", "embedding", "ge2e", str(path), None, "1", "open", ("*",), "Apache-2.0", "", path.stat().st_size)


@pytest.fixture
def transcribe(tmp_path: Path, task: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Makes the task of transcribing a short sound with a model."""
    noise = np.random.default_rng(1).normal(0, 2000, 16_000 * 2).clip(-32_768, 32_767).astype("<i2")
    (tmp_path / "pcm.raw").write_bytes(noise.tobytes())
    (tmp_path / "vad.json").write_text(f'{{"speech": {spans_to_plain([Span(0.1, 1.9)])}}}')
    inputs = {"pcm": "pcm.raw", "vad": "vad.json"}

    def make(number: int, model: Model, **other: Any) -> dict[str, Any]:
        return task(number, "transcribe", "fast.json", models={"asr": model.to_plain()}, inputs=inputs, **other)

    return make


def done(lane: Any, message: dict[str, Any]) -> dict[str, Any]:
    """What the worker reports of its models once the task is done."""
    lane.say(message)
    told, _ = lane.answer()
    assert told["event"] == "done", told
    return dict(lane.reports[-1])


def loaded(report: dict[str, Any]) -> list[str]:
    return [model["name"] for model in report["models"]]


def resident(lane: Any) -> int:
    return int(psutil.Process(lane.process.pid).memory_info().rss)


def minutes_of_silence(folder: Path, minutes: int = 4) -> None:
    """Sound that voice activity is busy with for longer than any test here."""
    with (folder / "pcm.raw").open("wb") as handle:
        handle.truncate(minutes * 60 * 2 * 16_000)


def test_two_jobs_in_a_row_load_once(lane, transcribe, whisper):
    for number, job in enumerate(("first", "second")):
        report = done(lane, transcribe(number, whisper("a"), job=job))
    assert (report["loads"], report["evictions"], loaded(report)) == (1, 0, ["a"])
    (model,) = report["models"]
    assert 20 * MB < model["memory"] < 1.3 * footprint(whisper("a")), "the weights, and what the passes take beside"


def test_two_models_that_fit_are_loaded_once_each_however_they_alternate(lane, transcribe, whisper):
    for number, name in enumerate("abab"):
        report = done(lane, transcribe(number, whisper(name)))
    assert (report["loads"], report["evictions"], loaded(report)) == (2, 0, ["a", "b"])


def test_where_they_do_not_fit_the_older_goes_before_the_newer_comes(lanes, transcribe, whisper):
    lane = lanes(ONE)
    done(lane, transcribe(1, whisper("a")))
    with_one = resident(lane)
    lane.reports.clear()
    report = done(lane, transcribe(2, whisper("b")))
    assert [loaded(each) for each in lane.reports] == [[], ["b"], ["b"]]
    assert (report["loads"], report["evictions"]) == (2, 1)
    assert resident(lane) < with_one + 25 * MB, "the memory of the first is there for the second"


def test_what_is_evicted_is_memory_given_back(lanes, transcribe, task, whisper, ge2e):
    lane = lanes(ONE)
    done(lane, transcribe(1, whisper("a", window=30.0)))
    before = resident(lane)
    embed = task(2, "embed", "embeddings.npz", models={"embedding": ge2e.to_plain()}, inputs={"pcm": "pcm.raw", "vad": "vad.json"})
    report = done(lane, embed)
    assert (loaded(report), report["evictions"]) == (["ge2e"], 1)
    assert resident(lane) < before - 15 * MB, "ONNX Runtime and all, less than the Whisper model before it"


def test_the_one_that_a_job_in_hand_wants_stays_though_it_was_used_before(lanes, transcribe, whisper):
    lane = lanes(TWO)
    for number, name in enumerate("ab"):
        done(lane, transcribe(number, whisper(name)))
    report = done(lane, transcribe(3, whisper("c"), keep=[whisper("c").to_plain(), whisper("a").to_plain()]))
    assert loaded(report) == ["a", "c"]


def test_the_next_model_is_loaded_while_the_present_pass_runs(lane, task, tmp_path, transcribe, whisper):
    minutes_of_silence(tmp_path)
    lane.say(task(1, "vad", "vad-of-silence.json"))
    lane.say({"keep": [whisper("a").to_plain()]})
    while not lane.reports or "a" not in loaded(lane.reports[-1]):
        assert lane.hear()["event"] == "progress", "the pass is not over"
    lane.say({"cancel": 1})
    assert lane.answer()[0]["error"]["code"] == "cancelled", "nor was it by now"
    report = done(lane, transcribe(2, whisper("a")))
    assert (report["loads"], report["loads_ahead"], loaded(report)) == (2, 1, ["silero-vad", "a"])


def test_without_room_beside_what_is_kept_nothing_is_loaded_ahead(lanes, transcribe, whisper):
    lane = lanes(ONE)
    keep = [whisper(name).to_plain() for name in "ab"]
    for number in range(2):
        report = done(lane, transcribe(number, whisper("a"), keep=keep))
    assert (report["loads"], report["loads_ahead"], report["evictions"], loaded(report)) == (1, 0, 0, ["a"])


def test_what_cannot_be_loaded_ahead_is_only_logged_and_told_in_its_turn(lane, transcribe, whisper, tmp_path):
    bad = replace(whisper("bad"), path=str(tmp_path / "bad.bin"))
    Path(str(bad.path)).write_bytes(b"no model")
    keep = [bad.to_plain()]
    report = done(lane, transcribe(1, whisper("a"), keep=keep))
    assert loaded(report) == ["a"]
    lane.say(transcribe(2, bad, keep=keep))
    assert lane.answer()[0]["error"]["code"] == "model"
    assert loaded(done(lane, transcribe(3, whisper("a"), keep=keep))) == ["a"]
    lane.process.stdin.close()
    lane.process.stdin = None
    assert len(re.findall("model bad could not be loaded ahead", lane.process.stderr.read().decode())) == 1


def test_a_load_ahead_that_never_ends_holds_nothing_up(lane, transcribe, whisper, tmp_path):
    stuck = replace(whisper("stuck"), path=str(tmp_path / "pipe"))
    os.mkfifo(str(stuck.path))  # whoever opens it waits for ever
    lane.say({"keep": [stuck.to_plain()]})
    for number, name in enumerate("ab"):
        assert loaded(done(lane, transcribe(number, whisper(name))))[-1] == name
    lane.process.stdin.close()
    assert lane.process.wait(10) == 0
    lane.process.stdin = None


def test_what_is_no_model_in_keep_is_not_heeded(lane, transcribe, whisper):
    lane.say({"keep": [{"name": "x"}, 3]})
    assert loaded(done(lane, transcribe(1, whisper("a"), keep=["x"]))) == ["a"]


def test_a_model_larger_than_the_budget_is_an_error_that_says_what_to_do(lanes, transcribe, whisper, silero, task):
    lane = lanes(100 * MB)
    lane.say(transcribe(1, whisper("a")))
    error = lane.answer()[0]["error"]
    assert (error["code"], error["permanent"]) == ("model", True)
    assert re.match(r"The model a needs about \d+ MB of memory, and a worker may use \d+ MB for its models\.", error["what"])
    assert all(setting in error["advice"] for setting in ("smaller model", "max_memory_gb", "max_workers"))
    assert loaded(done(lane, task(2, "vad", "vad.json"))) == ["silero-vad"], "and the next task is done"
