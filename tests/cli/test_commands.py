"""Every command as a real process: against the daemon's own socket server, against a real ledger, against real tools."""

from __future__ import annotations

import fcntl
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from trax import __version__
from trax.cli.main import main
from trax.cli.tools import tool
from trax.config import Retries, Settings, settings_hash, snapshot
from trax.errors import DamagedRecording, JobError
from trax.jobs import job as machine
from trax.jobs.folders import StateFolders
from trax.jobs.job import Job
from trax.jobs.ledger import Ledger

Make = Callable[..., dict[str, Any]]
Ctl = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]
COLOUR = re.compile(r"\x1b\[(?:\d+;)*3[0-7]m")


@pytest.fixture
def ledger(settings: Settings) -> Ledger:
    """A real ledger with one job of each kind: `waits`, `done`, `bad`."""
    folders = StateFolders(settings.state_folder)
    folders.make()
    written = Ledger(folders.ledger)
    for job in (waiting(settings, "waits"), done(settings, "done"), bad(settings, "bad")):
        written.put(job)
    return written


def waiting(settings: Settings, job_id: str) -> Job:
    plain = snapshot(settings)
    new = Job(job_id, f"{job_id}\x1b[2J.mp3", job_id, ("decode",), plain, settings_hash(plain), created=time.time(), changed=time.time())
    return machine.accept(new, media_id="0" * 64, size=10, now=time.time())


def done(settings: Settings, job_id: str) -> Job:
    return machine.complete(machine.start(waiting(settings, job_id), time.time()), time.time())


def bad(settings: Settings, job_id: str) -> Job:
    running = machine.start(waiting(settings, job_id), time.time())
    return machine.fail(running, DamagedRecording("It is cut short."), time.time(), Retries(), 0.0)


# -- with a daemon ------------------------------------------------------------------------------------------------------------------


def test_status_shows_what_the_daemon_says(trax_ctl: Ctl, daemon: Any, view: Make, status: Make) -> None:
    daemon.answer = lambda _: status(running=[view(id="job-1", stage="transcribe", progress=0.5, speed=2.0, eta_seconds=60.0)])
    done = trax_ctl("status")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"job-1 +meetings/talk.mp3 +transcribe +50% +2.0× +1m00s", done.stdout)
    assert "\x1b" not in done.stdout
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())
    assert daemon.asked == [{"command": "status"}]


def test_status_in_json_is_the_daemons_document(trax_ctl: Ctl, daemon: Any, status: Make) -> None:
    daemon.answer = lambda _: status()
    before, after = trax_ctl("--json", "status"), trax_ctl("status", "--json")
    assert json.loads(before.stdout) == json.loads(after.stdout) == status()


def test_watching_goes_on_until_ctrl_c(start: Start, daemon: Any, status: Make) -> None:
    daemon.answer = lambda _: status()
    with start("status", "--watch", "--interval", "0.1", "--json") as process:
        assert process.stdout is not None
        for _ in range(3):
            assert json.loads(process.stdout.readline()) == status()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_show_retry_and_cancel_are_asked_of_the_daemon(trax_ctl: Ctl, daemon: Any, view: Make) -> None:
    def answer(request: Mapping[str, Any]) -> Mapping[str, Any]:
        match request["command"]:
            case "show":
                return view(outputs=["meetings/talk.json"], settings={"asr": {"language": "en"}}, media_id="beef", stages=["decode"])
            case "retry":
                return {"retried": ["a", "b"], "refused": []}
            case _:
                return {"cancelled": "a"}

    daemon.answer = answer
    shown = trax_ctl("show", "2026")
    assert shown.returncode == 0
    assert "meetings/talk.json" in shown.stdout
    assert "asr.language" in shown.stdout
    assert trax_ctl("retry", "a", "b", "--current-settings").stdout == "a\nb\n"
    assert trax_ctl("retry", "--failed", "--json").stdout == '{"retried": ["a", "b"], "refused": []}\n'
    assert trax_ctl("cancel", "a").stdout == "a\n"
    assert daemon.asked == [
        {"command": "show", "job": "2026"},
        {"command": "retry", "jobs": ["a", "b"], "failed": False, "current_settings": True, "language": None},
        {"command": "retry", "jobs": [], "failed": True, "current_settings": False, "language": None},
        {"command": "cancel", "job": "a"},
    ]


def test_what_the_daemon_refuses_is_told_and_exits_1(trax_ctl: Ctl, daemon: Any) -> None:
    def refuse(_: Mapping[str, Any]) -> Mapping[str, Any]:
        raise JobError("There is no job 'x'.", advice="See `trax-ctl status`.")

    daemon.answer = refuse
    done = trax_ctl("show", "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no job 'x'." in done.stderr
    assert "trax-ctl status" in done.stderr
    assert json.loads(trax_ctl("show", "x", "--json").stdout)["error"]["code"] == "job"
    daemon.answer = lambda _: {"retried": [], "refused": [{"job": "x", "error": JobError("There is none.").as_dict()}]}
    done = trax_ctl("retry", "x")
    assert done.returncode == 1
    assert "There is none." in done.stderr


def test_hostile_names_reach_no_terminal(trax_ctl: Ctl, daemon: Any, view: Make, status: Make) -> None:
    hostile = "a\x1b]0;owned\x07\u202eb\udcff.mp3"
    daemon.answer = lambda _: status(queued=[view(name=hostile)])
    done = trax_ctl("status", PYTHONIOENCODING="ascii:strict")
    assert done.returncode == 0
    assert r"a\x1b]0;owned\x07\u202eb\xff.mp3" in done.stdout


def test_a_reader_that_goes_away_is_no_crash(start: Start, daemon: Any, view: Make, status: Make) -> None:
    daemon.answer = lambda _: status(queued=[view(name="x" * 200)] * 50)
    with start("status", "--watch", "--interval", "0.05") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 141
        assert process.stderr.read() == ""


def test_purge_is_asked_of_the_daemon_and_tells_who_else_has_the_recording(trax_ctl: Ctl, daemon: Any) -> None:
    daemon.answer = lambda request: {"purged": request["jobs"], "removed": ["a.json"], "refused": [], "same_recording": ["again"]}
    done = trax_ctl("purge", "a", "b", "--yes")
    assert (done.returncode, done.stdout) == (0, "a\nb\n")
    assert "also done as again" in done.stderr
    assert "Removed from the outbox: a.json" in done.stderr
    assert "journalctl" in done.stderr
    assert daemon.asked == [{"command": "purge", "jobs": ["a", "b"]}]


# -- in a terminal ------------------------------------------------------------------------------------------------------------------


def test_a_terminal_gets_colours_bars_and_lines_that_fit(in_a_terminal: Callable[..., str], daemon: Any, view: Make, status: Make) -> None:
    daemon.answer = lambda _: status(running=[view(stage="vad", progress=0.5)], recent=[view(status="completed", name="会" * 80)])
    text = in_a_terminal("status", TERM="xterm-256color")
    assert COLOUR.search(text)
    assert "━" in text
    text = in_a_terminal("status", TERM="xterm-256color", NO_COLOR="1")
    assert not COLOUR.search(text)
    assert "\x1b" not in in_a_terminal("status", TERM="dumb")


def test_watching_in_a_terminal_leaves_it_as_it_was(in_a_terminal: Callable[..., str], daemon: Any, status: Make) -> None:
    daemon.answer = lambda _: status()
    text = in_a_terminal("status", "--watch", "--interval", "0.1", stop_at="traxd 2.0", TERM="xterm-256color")
    assert "\x1b[?25l" in text  # the cursor was hidden, the other screen shown
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert text.rindex("\x1b[?1049l") > text.rindex("\x1b[?1049h")


def test_purging_in_a_terminal_asks_first(in_a_terminal: Callable[..., str], daemon: Any) -> None:
    done = {"purged": ["1-a"], "removed": [], "refused": [], "same_recording": []}
    daemon.answer = lambda request: done if request["command"] == "purge" else {"id": "1-a", "name": "talk.wav"}
    shown = in_a_terminal("purge", "a", type_at=("[y/N]", b"n\n"), expected=1)
    assert "talk.wav (1-a)" in shown
    assert "Nothing was removed" in shown
    assert {request["command"] for request in daemon.asked} == {"show"}
    in_a_terminal("purge", "a", type_at=("[y/N]", b"y\n"))
    in_a_terminal("purge", "b", "--yes")
    assert [request["jobs"] for request in daemon.asked if request["command"] == "purge"] == [["a"], ["b"]]


def test_where_nobody_can_be_asked_a_purge_wants_yes(trax_ctl: Ctl, daemon: Any) -> None:
    done = trax_ctl("purge", "a", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["advice"] == "Say --yes."
    assert daemon.asked == []


# -- without a daemon ---------------------------------------------------------------------------------------------------------------


def test_without_a_daemon_the_ledger_answers(trax_ctl: Ctl, ledger: Ledger) -> None:
    done = trax_ctl("status")
    assert done.returncode == 0
    assert "not running" in done.stderr
    assert r"waits\x1b[2J.mp3" in done.stdout
    assert "It is cut short." in done.stdout
    document = json.loads(trax_ctl("status", "--json").stdout)
    assert document["daemon"] is None
    assert document["counts"] == {"claimed": 0, "queued": 1, "running": 0, "completed": 1, "failed": 1, "cancelled": 0}
    assert [job["id"] for job in document["recent"]] == ["bad", "done"]
    shown = trax_ctl("show", "ba", "--json")
    assert json.loads(shown.stdout)["error"]["code"] == "damaged"
    assert ledger.get("bad") is not None


def test_without_a_daemon_requests_are_kept(trax_ctl: Ctl, ledger: Ledger, settings: Settings) -> None:
    requests = StateFolders(settings.state_folder).requests
    retried, cancelled, all_failed = trax_ctl("retry", "ba"), trax_ctl("cancel", "wai", "--json"), trax_ctl("retry", "--failed")
    assert (retried.returncode, retried.stdout, cancelled.returncode) == (0, "bad\n", 0)
    assert "applied when it starts" in retried.stderr
    assert json.loads(cancelled.stdout) == {"cancelled": None, "requested": ["waits"]}
    assert all_failed.stdout == "bad\n"
    kept = [json.loads(path.read_bytes()) for path in sorted(requests.iterdir())]
    assert kept == [
        {"command": "retry", "jobs": ["bad"], "failed": False, "current_settings": False, "language": None},
        {"command": "cancel", "job": "waits"},
        {"command": "retry", "jobs": [], "failed": True, "current_settings": False, "language": None},
    ]
    assert ledger.get("bad") == Ledger.read_only(StateFolders(settings.state_folder).ledger).get("bad")


def test_without_a_daemon_a_purge_is_kept_for_what_is_finished(trax_ctl: Ctl, ledger: Ledger, settings: Settings) -> None:
    done = trax_ctl("purge", "done", "waits", "--yes", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["requested"], [refused["job"] for refused in told["refused"]]) == (["done"], ["waits"])
    (kept,) = StateFolders(settings.state_folder).requests.iterdir()
    assert json.loads(kept.read_bytes()) == {"command": "purge", "jobs": ["done"]}


def test_without_a_daemon_what_does_not_fit_is_refused_at_once(trax_ctl: Ctl, ledger: Ledger, settings: Settings) -> None:
    assert trax_ctl("cancel", "done").returncode == 1
    done = trax_ctl("retry", "done", "none")
    assert done.returncode == 1
    assert "is completed" in done.stderr
    assert "no job 'none'" in done.stderr
    assert list(StateFolders(settings.state_folder).requests.iterdir()) == []
    assert trax_ctl("retry", "done", "--current-settings").returncode == 0
    assert trax_ctl("retry", "done", "--language", "de").returncode == 0
    kept = [json.loads(path.read_bytes()) for path in sorted(StateFolders(settings.state_folder).requests.iterdir())]
    assert [(request["current_settings"], request["language"]) for request in kept] == [(True, None), (False, "de")]
    assert ledger.damaged == ()


def test_rediarize_asks_for_what_is_given_and_no_more(trax_ctl: Ctl, daemon: Any) -> None:
    daemon.answer = lambda request: {"rediarized": request["jobs"], "refused": []}
    assert trax_ctl("rediarize", "a", "--speakers", "3").stdout == "a\n"
    trax_ctl("rediarize", "a", "--min-speakers", "2", "--max-speakers", "4", "--threshold", "0.3")
    trax_ctl("rediarize", "a", "b", "--threshold", "auto")
    assert [request["diarize"] for request in daemon.asked] == [
        {"min_speakers": 3, "max_speakers": 3},
        {"min_speakers": 2, "max_speakers": 4, "threshold": 0.3},
        {"threshold": None},
    ]


@pytest.mark.parametrize("code", ["german", "DE", "", "xx"])
def test_a_language_that_nobody_knows_is_refused_on_the_command_line(trax_ctl: Ctl, code: str) -> None:
    done = trax_ctl("retry", "done", "--language", code)
    assert done.returncode == 2
    assert "must be a language code such as en or de" in done.stderr


def test_no_daemon_and_no_ledger_exits_69(trax_ctl: Ctl) -> None:
    for command in (["status"], ["show", "x"], ["retry", "--failed"], ["cancel", "x"]):
        done = trax_ctl(*command)
        assert (done.returncode, done.stdout) == (69, "")
        assert "not running" in done.stderr


def test_a_daemon_that_starts_is_asked_to_be_waited_for(trax_ctl: Ctl, ledger: Ledger, settings: Settings) -> None:
    with (settings.state_folder / "traxd.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert trax_ctl("cancel", "waits").returncode == 75
        assert "starting" in trax_ctl("status").stderr
    assert trax_ctl("cancel", "waits").returncode == 0
    assert ledger.damaged == ()


def test_a_damaged_ledger_is_told(trax_ctl: Ctl, ledger: Ledger, settings: Settings) -> None:
    for path in StateFolders(settings.state_folder).ledger.glob("ledger-*.json"):
        path.write_bytes(b"?")
    done = trax_ctl("status")
    assert done.returncode == 1
    assert "ledger" in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert trax_ctl("doctor").returncode == 1
    assert ledger.get("bad") is not None


# -- the command line ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["retry"],
        ["retry", "--failed", "x"],
        ["status", "--interval", "0"],
        ["status", "--interval", "nan"],
        ["transcribe"],
        ["transcribe", "x.wav", "--set", "diarize"],
        ["models"],
        ["cancel"],
        ["rediarize"],
        ["rediarize", "x", "--speakers", "0"],
        ["rediarize", "x", "--speakers", "2", "--min-speakers", "1"],
        ["rediarize", "x", "--speakers", "2", "--max-speakers", "3"],
        ["rediarize", "x", "--threshold", "2"],
    ],
)
def test_a_wrong_command_line_exits_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert "usage: trax-ctl" in said.err


def test_the_version(trax_ctl: Ctl) -> None:
    assert trax_ctl("--version").stdout == f"trax-ctl {__version__}\n"
    assert trax_ctl("nonsense").returncode == 2


# -- settings, models, doctor -------------------------------------------------------------------------------------------------------


def test_config_check_tells_every_mistake(trax_ctl: Ctl, root: Path) -> None:
    assert trax_ctl("config", "check").returncode == 0
    wrong = root / "wrong.yaml"
    wrong.write_text("max_workrs: 2\nmax_memory_gb: none\n")
    done = trax_ctl("config", "check", str(wrong))
    assert (done.returncode, done.stdout) == (1, "")
    assert "did you mean max_workers" in done.stderr
    assert "max_memory_gb" in done.stderr
    document = json.loads(trax_ctl("config", "check", str(wrong), "--json").stdout)
    assert (document["ok"], len(document["problems"])) == (False, 2)
    done = trax_ctl("status", "--config", str(wrong))
    assert done.returncode == 1
    assert "max_workers" in done.stderr


def test_config_show_prints_settings_that_can_be_used(trax_ctl: Ctl, root: Path) -> None:
    shown = trax_ctl("config", "show", TRAX_MAX_WORKERS="3", OPENAI_API_KEY="sk-secret")
    assert yaml.safe_load(shown.stdout)["max_workers"] == 3
    assert "sk-secret" not in shown.stdout
    (root / "again.yaml").write_text(shown.stdout)
    again = trax_ctl("config", "show", str(root / "again.yaml"), "--json")
    assert json.loads(again.stdout) == yaml.safe_load(shown.stdout)


def test_what_lies_in_the_working_folder_is_never_run(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit('run by mistake')")
    monkeypatch.chdir(tmp_path)
    assert tool(settings, "models", "list")["models"]


def test_models_list_and_verify(trax_ctl: Ctl) -> None:
    listed = json.loads(trax_ctl("models", "list", "--json").stdout)
    assert {"asr", "vad"} <= {model["kind"] for model in listed["models"]}
    assert "pocketsphinx" in trax_ctl("models", "list").stdout
    assert trax_ctl("models", "verify").returncode == 0


def test_models_add_takes_a_whisper_file_and_nothing_else(trax_ctl: Ctl, root: Path, whisper_model: Path) -> None:
    (root / "fake.bin").write_bytes(b"no model")
    done = trax_ctl("models", "add", str(root / "fake.bin"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "fake.bin" in done.stderr
    added = trax_ctl("models", "add", str(whisper_model), "--name", "mine", "--scope", "digits", "--json")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["added"]["scope"] == "digits"
    assert "mine" in trax_ctl("models", "list").stdout


def test_the_doctor_finds_a_good_root_good(trax_ctl: Ctl, settings: Settings, daemon: Any) -> None:
    daemon.answer = lambda _: {"version": __version__, "pid": 7}
    for folder in (settings.inbox_folder, settings.outbox_folder):
        folder.mkdir()
    done = trax_ctl("doctor", "--json")
    levels = {check["subject"]: check["level"] for check in json.loads(done.stdout)["checks"]}
    assert levels | {"daemon": "ok", "inbox": "ok", "mounts": "ok", "settings": "ok", "ledger": "ok", "libraries": "ok"} == levels
    assert done.returncode == (1 if "problem" in levels.values() else 0)


def test_the_doctor_tells_what_is_wrong_and_what_to_do(trax_ctl: Ctl, settings: Settings) -> None:
    settings.inbox_folder.write_text("a file where a folder should be")
    done = trax_ctl("doctor")
    assert done.returncode == 1
    assert re.search(r"problem +inbox .* is not a folder\n +→ Move it away", done.stdout)
    assert re.search(r"warning +daemon", done.stdout)
