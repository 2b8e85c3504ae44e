"""The real daemon, started and stopped as the benchmarks do."""

import json

import pytest
from appliance import Appliance, ApplianceError, read_json


def test_a_file_is_answered_and_nothing_runs_on_afterwards(tmp_path):
    (tmp_path / "empty.wav").touch()
    with Appliance(tmp_path / "root", {"intake": {"settle_seconds": 0.5}}) as appliance:
        appliance.drop(tmp_path / "empty.wav", "talk.wav")
        appliance.wait_until(lambda: bool(appliance.errors()), 30)
        assert list(appliance.errors()) == ["talk"]
        assert not appliance.transcripts()
        assert read_json(appliance.errors()["talk"])["code"] == "empty"
        family = appliance.processes()
        assert family[0].pid == appliance.pid
    assert not any(process.is_running() for process in family)


def test_a_daemon_that_ends_by_itself_shows_its_log(tmp_path):
    with Appliance(tmp_path, {"max_workerz": 2}) as appliance, pytest.raises(ApplianceError, match="max_workerz"):
        appliance.wait_until(lambda: False, 30)


def test_waiting_ends(tmp_path):
    with Appliance(tmp_path) as appliance, pytest.raises(ApplianceError, match="Nothing after"):
        appliance.wait_until(lambda: False, 0.3)


def test_settings_of_the_shell_do_not_leak_in(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAX_MAX_WORKERZ", "2")
    with Appliance(tmp_path) as appliance:
        appliance.wait_until(appliance.socket.exists, 30)


def test_an_answer_must_be_an_object(tmp_path):
    (tmp_path / "list.json").write_text(json.dumps([1]))
    with pytest.raises(ValueError, match="not a JSON object"):
        read_json(tmp_path / "list.json")
