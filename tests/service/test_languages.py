"""The language of one job: by the folder it is dropped into, and changed when someone says so."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from appliance import trax_ctl
from rig import PATIENCE, WORDS, Traxd, stamps

from trax.errors import ControlError
from trax.jobs.job import Status

_INTAKE = {**WORDS["intake"], "language_folders": ["german=de"]}


def test_a_folder_decides_the_language_and_a_retry_changes_it_and_nothing_else(tmp_path: Path, turn: Callable[..., Path]) -> None:
    with Traxd(tmp_path, {**WORDS, "intake": _INTAKE}) as traxd:
        traxd.put(turn(0), "German/talk.wav")
        failed = traxd.wait_for("German/talk.wav", Status.FAILED)
        assert failed.settings["asr"]["language"] == "de"
        assert "speaks the language 'de'" in traxd.error("German/talk")["why"], "only English is built in"
        assert traxd.ask("retry", jobs=[failed.id], failed=False, current_settings=False, language="en")["retried"] == [failed.id]
        done = traxd.wait_for("German/talk.wav", Status.COMPLETED)
        assert done.settings == {**failed.settings, "asr": {**failed.settings["asr"], "language": "en"}}
        assert done.settings_hash != failed.settings_hash
        assert traxd.transcript("German/talk")["segments"]
        assert not traxd.errors()


def test_a_completed_job_is_done_again_in_another_language_and_only_what_depends_on_it(tmp_path: Path, turn: Callable[..., Path]) -> None:
    with Traxd(tmp_path, WORDS) as traxd:
        traxd.put(turn(0), "talk.wav")
        done = traxd.wait_for("talk.wav", Status.COMPLETED)
        before = stamps(traxd.folder("archive", done))
        with pytest.raises(ControlError, match="must be a language code"):
            traxd.ask("retry", jobs=[done.id], failed=False, current_settings=False, language="german")
        assert traxd.job("talk.wav") == done
    # without a daemon the request waits for one
    asked = subprocess.run(trax_ctl(tmp_path, "retry", "talk", "--language", "de"), capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == done.id
    with Traxd(tmp_path, WORDS) as traxd:
        traxd.wait_until(lambda: traxd.job("talk.wav").status is Status.FAILED, PATIENCE)
        failed = traxd.wait_for("talk.wav", Status.FAILED)
        assert failed.settings["asr"]["language"] == "de"
        assert traxd.ask("retry", jobs=["talk"], failed=False, current_settings=False, language="en")["retried"] == [done.id]
        again = traxd.wait_for("talk.wav", Status.COMPLETED)
        assert again.settings_hash == done.settings_hash
        after = stamps(traxd.folder("archive", again))
        assert {name for name in before if after[name] != before[name]} == {"plan.stamp"}
