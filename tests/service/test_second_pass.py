"""A crash in the second pass costs that pass alone: the first is not heard again."""

from __future__ import annotations

from pathlib import Path

from rig import PATIENCE, WORDS, Traxd, stamps

from trax.jobs.job import Status

DIGITS = Path(__file__).resolve().parents[2] / "demo" / "digits.ogg"
TWICE = {**WORDS, "asr": {"fast_model": "digits-fast"}, "stages": {"refine": True, "diarize": False}}


def first_pass(folder: Path) -> dict[str, tuple[int, int]]:
    return {name: what for name, what in stamps(folder).items() if name != "refined.stamp"}


def test_when_the_worker_or_the_daemon_dies_in_the_second_pass_the_first_is_not_repeated(tmp_path: Path) -> None:
    settings = {**TWICE, "confidence_threshold": 1.0}  # every word is in doubt
    with Traxd(tmp_path / "root", settings) as traxd:
        traxd.put(DIGITS, "digits.ogg")
        job = traxd.wait_for_stage("digits.ogg", "refine")
        made = first_pass(traxd.folder("work", job))
        assert {"plan.stamp", "pcm.stamp", "vad.stamp", "fast.stamp"} == set(made)
        traxd.worker("transcribe-1").kill()

        traxd.wait_until(lambda: traxd.job("digits.ogg").attempts > 1, PATIENCE)
        assert traxd.wait_for_stage("digits.ogg", "refine").attempts == 2
        assert first_pass(traxd.folder("work", job)) == made
        traxd.kill()

    with Traxd(tmp_path / "root", settings) as traxd:
        done = traxd.wait_for("digits.ogg")
        assert done.status is Status.COMPLETED, traxd.log_tail()
        kept = first_pass(traxd.folder("archive", done))
        assert kept == made
        transcript = traxd.transcript("digits")
    assert (transcript["models"]["asr"]["name"], transcript["models"]["refine"]["name"]) == ("digits-fast", "digits")
    assert transcript["refinements"]
    assert {each["model"] for each in transcript["refinements"]} == {"digits"}
    assert transcript["evidence"]
