"""`trax-ctl models pull` as people run it: the real command and its tool, a house with a catalogue of its own, a real server."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from file_server import Fault, FileServer, Served

import trax
from trax.files import sha256_of

FILE = "ggml-own.bin"
MODEL = f"/trax/own/resolve/main/{FILE}"
PIECE = 2_000_000
CHECKOUT = Path(trax.__file__).resolve().parent.parent
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, whisper_model: Path) -> Path:
    """A copy of Trax in whose catalogue the real model is one to pull, instead of those that ship."""
    house = tmp_path_factory.mktemp("house")
    shutil.copytree(CHECKOUT / "trax", house / "trax", ignore=shutil.ignore_patterns("_shipped"))
    shutil.copytree(CHECKOUT / "config", house / "config")
    known = yaml.safe_load((CHECKOUT / "models" / "catalogue.yaml").read_text())
    file = {"name": FILE, "size": whisper_model.stat().st_size, "sha256": sha256_of(whisper_model)}
    told = {"name": "own", "kind": "asr", "engine": "whisper", "origin": "download", "scope": "digits", "languages": ["en"]}
    told |= {"licence": "CC0-1.0", "source": f"https://huggingface.co{MODEL.removesuffix(f'/{FILE}')}", "files": [file]}
    (house / "models").mkdir()
    others = [entry for entry in known["models"] if entry["origin"] != "shipped"]
    (house / "models" / "catalogue.yaml").write_text(yaml.safe_dump({"models": [*others, told]}))
    return house


@pytest.fixture
def server(whisper_model: Path) -> Iterator[FileServer]:
    """It has the model."""
    serving = FileServer()
    serving.files[MODEL] = Served(whisper_model.read_bytes())
    yield serving
    serving.stop()


@pytest.fixture
def environment(house: Path, tmp_path: Path, server: FileServer) -> dict[str, str]:
    (tmp_path / "trax.yaml").write_text(f"root: {tmp_path}\nmodels:\n  mirror: {server.address()}\n")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("TRAX_")}
    return {**inherited, "PYTHONPATH": str(house), "TRAX_CONFIG": str(tmp_path / "trax.yaml"), "NO_PROXY": "127.0.0.1"}


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Start `trax-ctl models` and go on; what still runs at the end is ended."""
    begun = []

    def run(*words: str, **changed: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-P", "-m", "trax.cli.main", "models", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        begun.append(subprocess.Popen(command, text=True, env={**environment, **changed}, **pipes))
        return begun[-1]

    yield run
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def pull(start: Start) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str, **changed: str) -> tuple[int, str, str]:
        process = start("pull", *words, **changed)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    return run


def test_a_model_is_pulled_and_not_fetched_twice(pull, tmp_path, server, whisper_model):
    code, out, err = pull("own", HUGGINGFACE_TOKEN="hush")
    assert (code, out) == (0, "own\n")
    assert f"{FILE}: 0% of 10.5 MB\n" in err
    assert f"{FILE}: 100% of 10.5 MB\n" in err
    assert sha256_of(tmp_path / "state" / "models" / "own" / "model.bin") == sha256_of(whisper_model)
    ((_, headers),) = server.asked
    assert "authorization" not in headers  # the mirror of this test is not protected

    code, out, err = pull("own", "--json")
    assert (code, err) == (0, "It was installed already, and is whole: nothing was fetched.\n")
    answer = json.loads(out)
    assert (answer["is_new"], answer["pulled"]["pulled"]["from"]) == (False, server.address())
    assert len(server.asked) == 1


def test_without_a_network_it_comes_from_a_folder_and_json_is_all_that_is_said(pull, server, tmp_path, whisper_model):
    (tmp_path / "usb").mkdir()
    shutil.copy(whisper_model, tmp_path / "usb" / FILE)
    code, out, err = pull("own", "--json", "--from", str(tmp_path / "usb"))
    assert (code, err, server.asked) == (0, "", [])
    assert json.loads(out)["pulled"]["name"] == "own"


def test_what_goes_wrong_is_told_in_words_and_as_a_document(pull, server):
    server.files[MODEL] = Served(b"<html>", kind="text/html")
    code, out, err = pull("own", "--json")
    assert code == 1
    assert "web page" in err
    assert json.loads(out)["error"]["code"] == "model"


def test_stopped_or_killed_it_goes_on_where_it_was(start, pull, server, tmp_path, whisper_model):
    part = tmp_path / "state" / "models" / ".downloads" / "own" / FILE
    came = 0
    for how, code in ((signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, 1)):
        with held(server) as waiting:
            process = start("pull", "own")
            assert waiting.wait(60)
            wait_until(lambda: part.exists() and part.stat().st_size >= came + PIECE)  # noqa: B023 - called here
            if how == signal.SIGKILL:
                assert "pulled already at this moment" in pull("own")[2]
                psutil.Process(process.pid).children()[0].kill()
            else:
                process.send_signal(how)
            _, err = process.communicate(timeout=60)
        assert process.returncode == code
        assert ("signal 9" if how == signal.SIGKILL else "of own are kept. Give the same command again") in " ".join(err.split())
        assert "Traceback" not in err
        assert server.asked[-1][1].get("range") == (f"bytes={came}-" if came else None)
        came = part.stat().st_size
    assert pull("own")[0] == 0
    assert server.asked[-1][1]["range"] == f"bytes={came}-"
    assert sha256_of(tmp_path / "state" / "models" / "own" / "model.bin") == sha256_of(whisper_model)


def test_stopped_while_it_is_still_being_loaded_it_says_nothing_of_python(start):
    process = start("pull", "own")
    wait_until(lambda: psutil.Process(process.pid).children())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err


def test_a_person_sees_a_bar(environment):
    process, terminal = pty.fork()
    if process == 0:
        os.execve(sys.executable, [sys.executable, "-P", "-m", "trax.cli.main", "models", "pull", "own"], {**environment, "TERM": "xterm"})
    shown = b""
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
    except OSError:  # how a terminal says that its last user has gone
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert "━━━" in shown.decode()
    assert b"10.5/10.5 MB" in shown


@contextlib.contextmanager
def held(server: FileServer) -> Iterator[threading.Event]:
    """The next request gets a piece of the file and no more until the block ends; the event says that it has it."""
    given, ended = threading.Event(), threading.Event()
    server.faults.append(Fault(cut=PIECE, then=lambda: (given.set(), ended.wait(120))))
    try:
        yield given
    finally:
        ended.set()


def wait_until(holds: Callable[[], bool]) -> None:
    waited = threading.Event()
    for _ in range(6000):
        if holds():
            return
        waited.wait(0.01)
    pytest.fail("it did not come about in a minute")
