"""A crash in the second pass costs that pass alone: the first is not heard again."""

from __future__ import annotations

from pathlib import Path

from rig import PATIENCE, WORDS, Traxd, stamps

from trax.jobs.job import Status

DIGITS = Path(__file__).resolve().parents[2] / "demo" / "digits.ogg"
#: Both passes, with every word in doubt.
TWICE = {**WORDS, "asr": {"fast_model": "digits-fast", "refine_threshold": 1.0}, "stages": {"refine": True, "diarize": False}}


def is_heard_again(traxd: Traxd, attempt: int) -> bool:
    """Whether a worker has begun with the second pass of that attempt: the stage is told before there is one."""
    status = traxd.ask("status")
    is_there = [(view["stage"], view["attempts"]) for view in status["running"]] == [("refine", attempt)]
    return is_there and any(worker["busy"] for worker in status["daemon"]["workers"] if worker["lane"] == "transcribe-1")


def first_pass(folder: Path) -> dict[str, tuple[int, int]]:
    return {name: what for name, what in stamps(folder).items() if name != "refined.stamp"}


def test_when_the_worker_or_the_daemon_dies_in_the_second_pass_the_first_is_not_repeated(tmp_path: Path) -> None:
    with Traxd(tmp_path / "root", TWICE) as traxd:
        traxd.put(DIGITS, "digits.ogg")
        job = traxd.wait_for_stage("digits.ogg", "refine")
        made = first_pass(traxd.folder("work", job))
        assert {"plan.stamp", "pcm.stamp", "vad.stamp", "fast.stamp"} == set(made)
        traxd.worker("transcribe-1").kill()

        traxd.wait_until(lambda: traxd.job("digits.ogg").attempts > 1, PATIENCE)
        assert traxd.wait_for_stage("digits.ogg", "refine").attempts == 2
        assert first_pass(traxd.folder("work", job)) == made
        traxd.kill()

    with Traxd(tmp_path / "root", TWICE) as traxd:
        done = traxd.wait_for("digits.ogg")
        assert done.status is Status.COMPLETED, traxd.log_tail()
        kept = first_pass(traxd.folder("archive", done))
        assert kept == made
        transcript = traxd.transcript("digits")
    assert (transcript["models"]["asr"]["name"], transcript["models"]["refine"]["name"]) == ("digits-fast", "digits")
    assert transcript["refinements"]
    assert {each["model"] for each in transcript["refinements"]} == {"digits"}
    assert transcript["evidence"]


def test_a_second_pass_that_fails_for_good_leaves_the_words_of_the_first_and_can_be_asked_for_again(tmp_path: Path) -> None:
    settings = {**TWICE, "retries": {"first_delay_seconds": 0.1, "max_attempts": 2}}
    with Traxd(tmp_path / "root", settings) as traxd:
        traxd.put(DIGITS, "digits.ogg")
        for attempt in (1, 2):
            traxd.wait_until(lambda attempt=attempt: is_heard_again(traxd, attempt), PATIENCE, every_s=0.02)
            traxd.worker("transcribe-1").kill()
        done = traxd.wait_for("digits.ogg")
        assert done.status is Status.COMPLETED, traxd.log_tail()
        once = traxd.transcript("digits")
        assert "refine" not in once["models"]
        assert once["refinements"] == []
        assert once["word_segments"]
        (warning,) = [each for each in once["warnings"] if "second pass" in each]
        assert "--current-settings" in warning

        traxd.ask("retry", jobs=[done.id], current_settings=True)
        traxd.wait_until(lambda: traxd.transcript("digits")["refinements"] != [], PATIENCE)
        assert traxd.wait_for("digits.ogg").status is Status.COMPLETED
        assert not [each for each in traxd.transcript("digits")["warnings"] if "second pass" in each]


def test_no_second_pass_is_shown_where_there_was_no_model_for_it(tmp_path: Path) -> None:
    with Traxd(tmp_path / "root", WORDS) as traxd:
        traxd.put(DIGITS, "digits.ogg")
        done = traxd.wait_for("digits.ogg")
        assert "refine" in done.stages
        assert traxd.ask("show", job=done.id)["stages"] == ["plan", "decode", "vad", "transcribe"]
