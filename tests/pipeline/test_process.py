from __future__ import annotations

import asyncio
import os
import signal
import textwrap
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from trax.errors import DamagedRecording, WorkerCrashed, WorkerError, WorkerHung
from trax.pipeline.process import ChildProcess

Follow = Callable[..., dict[str, Any]]


@pytest.fixture
def child(tmp_path, monkeypatch) -> Callable[[str], str]:
    """Makes a Python module of some code that is run in a child, with `say` for a line on stdout; returns its name."""

    def make(code: str) -> str:
        text = "import json, os, signal, sys, time\ndef say(text): print(text, flush=True)\n" + textwrap.dedent(code)
        (tmp_path / "a_child.py").write_text(text)
        return "a_child"

    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return make


@pytest.fixture
def follow(child) -> Follow:
    """Runs a child to the end of its one task; whatever comes of it, no process and no descriptor is left."""

    def run(code: str, silence: float = 10.0, on_progress: Callable[[float], None] = lambda _fraction: None) -> dict[str, Any]:
        async def one() -> dict[str, Any]:
            process = await ChildProcess.start(child(code), what="decoder")
            try:
                return await process.answer(silence, on_progress)
            finally:
                assert isinstance(process, ChildProcess)
                await process.close(grace=0.1)
                assert not psutil.pid_exists(process.pid)

        before = open_files()
        try:
            return asyncio.run(one())
        finally:
            assert open_files() == before

    return run


def open_files() -> int:
    return psutil.Process().num_fds()


def test_a_task_is_followed_to_its_result(follow):
    fractions: list[float] = []
    code = """
        say('{"event": "progress", "fraction": 0.25}')
        say('{"event": "progress", "fraction": 1}')
        say('{"event": "done", "result": {"words": 3}}')
    """
    assert follow(code, on_progress=fractions.append) == {"words": 3}
    assert fractions == [0.25, 1.0]


def test_a_wild_fraction_is_held_within_0_and_1(follow):
    fractions: list[float] = []
    code = """
        for wild in ("-3", "7", "1e999", "NaN", "1" + "0" * 400):
            say('{"event": "progress", "fraction": ' + wild + '}')
        say('{"event": "done", "result": {}}')
    """
    follow(code, on_progress=fractions.append)
    assert len(fractions) == 5
    assert all(0.0 <= fraction <= 1.0 for fraction in fractions)


def test_the_error_a_child_tells_is_raised(follow):
    told = DamagedRecording("It is cut short.").as_dict()
    with pytest.raises(DamagedRecording, match="cut short"):
        follow(f"say(json.dumps({{'event': 'error', 'error': {told!r}}}))")


def test_an_error_of_no_known_kind_and_of_wrong_types_is_a_worker_error(follow):
    with pytest.raises(WorkerError):
        follow("""say('{"event": "error", "error": {"code": [1], "what": {"x": 1}, "advice": 3, "file": [], "permanent": "?"}}')""")


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "3",
        "[" * 100_000,
        '{"a":' * 100_000,
        "\\xff\\xfe",
        '{"event": "progress"}',
        '{"event": "progress", "fraction": "half"}',
        '{"event": "progress", "fraction": null}',
        '{"event": "done"}',
        '{"event": "done", "result": null}',
        '{"event": "done", "result": [["words", 3]]}',
        '{"event": "error"}',
        '{"event": "error", "error": "it broke"}',
        '{"event": "what?"}',
        '{"event": {}}',
        '{"id": 7, "event": "done", "result": {}}',
        "{}",
    ],
    ids=lambda line: line[:45],
)
def test_a_child_that_says_what_it_should_not_has_crashed(follow, line):
    code = f"""
        sys.stdout.buffer.write({line!r}.encode().replace(rb"\\xff\\xfe", bytes([255, 254])) + b"\\n")
        sys.stdout.flush()
        time.sleep(60)
    """
    began = time.monotonic()
    with pytest.raises(WorkerCrashed):
        follow(code)
    assert time.monotonic() - began < 5


def test_an_endless_line_is_no_message(follow):
    with pytest.raises(WorkerCrashed, match="not a message"):
        follow("while True: sys.stdout.write('x' * 65536)")


def test_a_child_that_never_stops_talking_is_ended_with_its_task(follow):
    code = """
        say('{"event": "done", "result": {"words": 3}}')
        while True: say('{"event": "progress", "fraction": 0.5}' * 1000)
    """
    began = time.monotonic()
    assert follow(code) == {"words": 3}
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("sys.exit(3)", "ended with status 3"),
        ("pass", "ended with status 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL.*out of memory"),
        ("os.abort()", "SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGRTMIN + 3)", "signal 37"),
        ("os.close(1); time.sleep(60)", "closed its output"),
    ],
)
def test_how_a_child_ended_is_told(follow, code, words):
    with pytest.raises(WorkerCrashed, match=words):
        follow(code)


def test_a_silent_child_is_hung(follow):
    with pytest.raises(WorkerHung, match=r"not answer for 0\.5 s"):
        follow("time.sleep(60)", silence=0.5)


def test_a_child_that_keeps_its_pipe_open_in_another_process_is_still_ended(follow):
    code = """
        import subprocess
        subprocess.Popen(["sleep", "3"])
        say('{"event": "done", "result": {}}')
        time.sleep(60)
    """
    began = time.monotonic()
    assert follow(code) == {}
    assert time.monotonic() - began < 2.5


def test_a_child_sees_no_secrets_and_imports_nothing_from_where_it_is_started(follow, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    hostile = tmp_path / "downloads"
    hostile.mkdir()
    (hostile / "wave.py").write_text("raise SystemExit(66)")
    monkeypatch.chdir(hostile)
    code = """
        import wave
        say(json.dumps({"event": "done", "result": {"names": list(os.environ)}}))
    """
    assert "OPENAI_API_KEY" not in follow(code)["names"]


def test_a_process_that_cannot_be_started_is_an_error_of_ours(monkeypatch):
    monkeypatch.setattr("sys.executable", "/nowhere/python")

    async def start() -> None:
        await ChildProcess.start("a_child", what="decoder")

    with pytest.raises(WorkerCrashed, match="could not be started"):
        asyncio.run(start())


def test_a_child_goes_when_its_input_ends_and_is_killed_when_it_does_not(child):
    async def close(code: str) -> float:
        process = await ChildProcess.start(child(code), what="worker")
        assert await process.receive(10) == {}
        began = time.monotonic()
        await process.close(grace=1.0)
        assert not process.is_alive
        return time.monotonic() - began

    assert asyncio.run(close("say('{}'); sys.stdin.read()")) < 0.9
    assert asyncio.run(close("say('{}'); time.sleep(60)")) < 3


def test_the_use_of_a_child_is_measured_and_zero_once_it_is_gone(child):
    async def measure() -> None:
        process = await ChildProcess.start(child("say('{}'); sys.stdin.read()"), what="worker")
        await process.receive(10)
        assert process.usage()[1] > 1 << 20
        await process.kill()
        assert process.usage() == (0.0, 0)

    asyncio.run(measure())


def test_a_stopped_child_can_be_killed(child):
    async def stop() -> None:
        process = await ChildProcess.start(child("say('{}'); time.sleep(60)"), what="worker")
        await process.receive(10)
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(WorkerHung):
            await process.receive(0.2)
        assert not process.is_alive

    asyncio.run(stop())


def test_a_bare_child_has_no_environment_and_nowhere_to_write_but_its_answer(capfd):
    async def look() -> dict[str, str]:
        process = await ChildProcess.start("trax.worker.decode", "--no-such-option", what="decoder", is_bare=True)
        environment: dict[str, str] = psutil.Process(process.pid).environ()
        with pytest.raises(WorkerCrashed, match="ended with status 2"):
            await process.answer(30.0, lambda _fraction: None)
        await process.close()
        return environment

    assert asyncio.run(look()) == {}
    assert capfd.readouterr().err == ""  # argparse said something
