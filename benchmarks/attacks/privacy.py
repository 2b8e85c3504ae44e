"""Is what is confidential closed to others: files, socket, log, processes, temporary files; and does a purge leave nothing?

Where it may (root, namespaces, libseccomp), the daemon runs shut in as its unit asks for, so that whatever it writes elsewhere is its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
from appliance import Appliance, read_json
from speech_data import REPOSITORY

from attacks import Findings, Size, shut_in
from attacks.clips import CONVERSATION, speech_clips
from attacks.privacy_looks import Watcher, Writes, holding, what_a_stranger_reaches
from trax.cli.client import ask
from trax.errors import ControlError, DaemonAbsent

_PATIENCE_S = 240.0
_SETTINGS: dict[str, Any] = {
    "intake": {"settle_seconds": 0.5},
    "retries": {"first_delay_seconds": 0.1},
    "output": {"formats": ["json", "srt", "vtt", "txt", "rttm", "ctm"]},
    "log": {"level": "DEBUG"},
}
#: What must never be seen but by the process that was given it.
_SECRETS = {"OPENAI_API_KEY": "sk-a1b2c3-confidential", "DEEPSEEK_API_KEY": "sk-d4e5f6-confidential", "HUGGINGFACE_TOKEN": "hf_g7h8-secret"}
_NAME = "merger with northwind"
#: Shorter words may stand in a log by chance.
_LONG_WORD = 5


def attack(size: Size, work: Path) -> Findings:
    """Watch a run with good and bad recordings under a umask of 0, then purge all of it, also across kills."""
    violations: list[str] = []
    figures: list[str] = []
    lacking = shut_in.lacking()
    with _public_folder() as root, _secrets_in_environment():
        _lay_out(root)
        traxd = (sys.executable, "-m", "trax.service.main")
        command = traxd if lacking else shut_in.command(root, *traxd)
        with Appliance(root, _SETTINGS, preexec=_open_umask, command=command) as daemon:
            daemon.wait_until(daemon.answers, _PATIENCE_S)
            with Watcher(root, daemon.pid, _SECRETS.values()) as watcher, ExitStack() as stack:
                writes = None if lacking else stack.enter_context(Writes(_elsewhere(daemon.pid)))
                began = time.monotonic()
                drops = _drop_all(daemon, size, work)
                daemon.wait_until(lambda: len(daemon.transcripts()) + len(daemon.errors()) >= drops, _PATIENCE_S)
                violations += _of_the_main_job(daemon)
                figures.append(f"{drops} recordings answered in {time.monotonic() - began:.0f} s")
                if os.geteuid() == 0:
                    violations += [f"Another user can {each}." for each in what_a_stranger_reaches(root, daemon.socket)]
            violations += _of_the_watch(watcher, is_shut_in=not lacking)
            if writes is not None:
                violations += [f"A file was written outside the root: {path}." for path in sorted(writes.seen)]
            words = _said(daemon)
            figures.append(f"{len(words)} words searched for")
            log = root / "traxd.log"
            violations += [f"In the log: {each}." for each in holding(root, (*words, *_SECRETS.values()), but=_all_but(root, log))]
            violations += [f"A secret is kept: {each}." for each in holding(root, _SECRETS.values())]
            if not lacking and "might; missing" in log.read_text(errors="replace"):
                violations.append("Shut in as the unit asks for, the decoder lacks a defence that this kernel has.")
            violations += [f"A core was written: {path.name}." for path in root.rglob("core*") if path.is_file()]
            violations += _purge_all(daemon, words, log)
        kills = size.pick(full=20, quick=4, test=0)
        violations += _kill_in_purges(root, kills, work, command)
    tried = (
        f"{drops} recordings, good and bad, under a umask of 0, the log at its most talkative; "
        f"{watcher.looks} looks at every file and process; "
        f"{'a stranger tried every path; ' if os.geteuid() == 0 else 'no other user could be tried (needs root); '}"
        f"{'run shut in as the unit asks; ' if not lacking else f'not shut in ({lacking}); '}"
        f"then all purged, {kills} times with the daemon killed in the middle."
    )
    return Findings(tried, tuple(violations), tuple(figures))


def _open_umask() -> None:
    os.umask(0)


@contextmanager
def _public_folder() -> Iterator[Path]:
    """A root that others could look into if Trax let them: the folder an attack is given is closed as a whole."""
    with tempfile.TemporaryDirectory(prefix="trax-privacy-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name) / "root"


@contextmanager
def _secrets_in_environment() -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(_SECRETS)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _lay_out(root: Path) -> None:
    """The folders as systemd-tmpfiles makes them, but for the state, which somebody left open: it is Trax's to close."""
    for folder, mode in ((root, 0o755), (root / "inbox", 0o2770), (root / "outbox", 0o2750), (root / "state", 0o755)):
        folder.mkdir()
        if os.geteuid() == 0:
            os.chown(folder, shut_in.SERVICE, shut_in.SERVICE)
        folder.chmod(mode)


def _elsewhere(pid: int) -> tuple[Path, ...]:
    """The folders outside the root in which the shut-in daemon could write: they are its own."""
    return tuple(Path(f"/proc/{pid}/root/{folder}") for folder in ("tmp", "var/tmp", "dev/shm"))


def _drop_all(daemon: Appliance, size: Size, work: Path) -> int:
    """Drop the conversation and short clips, files that fail in many ways, and have a worker die; returns how many answers to expect."""
    clips = speech_clips(work / "clips", size.pick(full=12, quick=2, test=1), seed=size.seed, seconds=(5.0, 7.0))
    if not size.is_test:
        daemon.drop(CONVERSATION, f"{_NAME}.ogg")
    for clip in clips:
        daemon.drop(clip, f"{_NAME} {clip.name}")
    bad = work / "bad"
    bad.mkdir()
    whole = CONVERSATION.read_bytes()
    for name, content in {
        "empty.wav": b"",
        "text.wav": b"confidential minutes, not a recording",
        "cut.ogg": whole[: len(whole) // 3],
        "changed.ogg": whole[:4000] + bytes(4000) + whole[8000:],
        "minutes.docx": b"PK\x03\x04",
    }.items():
        (bad / name).write_bytes(content)
        daemon.drop(bad / name, f"{_NAME} {name}")
    daemon.wait_until(lambda: bool(_workers(daemon)), _PATIENCE_S, every_s=0.05)
    _workers(daemon)[0].send_signal(signal.SIGSEGV)  # with the memory of a job in it: what would be a core
    return len(clips) + 5 + (not size.is_test)


def _workers(daemon: Appliance) -> list[psutil.Process]:
    return [each for each in daemon.processes()[1:] if "trax.worker.lane" in " ".join(each.cmdline())]


def _of_the_main_job(daemon: Appliance) -> list[str]:
    transcripts = [read_json(path) for path in daemon.transcripts().values()]
    if not any(transcript["word_segments"] for transcript in transcripts):
        return [f"No recording was transcribed: {sorted(daemon.errors())}. {daemon.log_tail()[-600:]}"]
    return []


def _of_the_watch(watcher: Watcher, *, is_shut_in: bool) -> list[str]:
    found = [f"Open to others: {each}." for each in sorted(watcher.open_files)] + sorted(watcher.leaks)
    if watcher.umasks - {"0027"}:
        found.append(f"A worker's umask is not 0027 but {sorted(watcher.umasks)}: what it writes is open to others for an instant.")
    if not watcher.children:
        found.append("No worker was seen: nothing was watched.")
    if is_shut_in and any("NoNewPrivs 0" in each or "Seccomp 0" in each for each in watcher.powers):
        found.append(f"A process of the shut-in daemon has more rights than its unit: {sorted(watcher.powers)}.")
    if is_shut_in and any(int(each, 16) for each in watcher.capabilities):
        found.append(f"A child of traxd has capabilities: {sorted(watcher.capabilities)}.")
    return found


def _said(daemon: Appliance) -> set[str]:
    """Long words of the transcripts that were published, but for those that Trax uses itself."""
    words = {word["word"] for path in daemon.transcripts().values() for word in read_json(path)["word_segments"]}
    own = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "trax").rglob("*.py"))
    return {word for word in words if len(word) >= _LONG_WORD and word.isalpha() and word not in own}


def _all_but(root: Path, kept: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path != kept]


def _jobs(daemon: Appliance) -> list[Mapping[str, Any]]:
    status = ask(daemon.socket, {"command": "status"})
    return [ask(daemon.socket, {"command": "show", "job": job["id"]}) for job in (*status["recent"], *status["failed"])]


def _purge_all(daemon: Appliance, words: set[str], log: Path) -> list[str]:
    """Purge every job and look for what is left of any; then drop one of the recordings again."""
    traces = {_NAME, *words}
    while jobs := _jobs(daemon):
        traces |= {job[key] for job in jobs for key in ("id", "media_id") if job[key]}
        asked = sorted({job["id"] for job in jobs})
        done = ask(daemon.socket, {"command": "purge", "jobs": asked}, timeout=_PATIENCE_S)
        if sorted(done["purged"]) != asked:
            return [f"Not purged: {done['refused']}."]
    return [f"Left after purge: {each}." for each in holding(daemon.root, traces, but=(log, *(daemon.root / "staging").rglob("*")))]


def _kill_in_purges(root: Path, kills: int, work: Path, command: Sequence[str]) -> list[str]:
    """Kill the daemon in the middle of purges; after the next start a job is wholly there or not at all."""
    found = [left for number in range(kills) if (left := _kill_in_purge(root, number, kills, work, command))]
    shutil.rmtree(root / "staging", ignore_errors=True)
    return found


def _kill_in_purge(root: Path, number: int, kills: int, work: Path, command: Sequence[str]) -> str:
    bad, name = work / "doomed.wav", f"doomed {number}"
    bad.write_bytes(b"RIFF" + bytes(100 + number))
    with Appliance(root, _SETTINGS, command=command) as daemon:
        daemon.wait_until(daemon.answers, _PATIENCE_S)
        daemon.drop(bad, f"{name}.wav")
        daemon.wait_until(lambda: any(job["output"] == name for job in _jobs(daemon)), _PATIENCE_S, every_s=0.02)
        job = next(job for job in _jobs(daemon) if job["output"] == name)
        _ask_and_kill(daemon, job["id"], pause=number / kills * 0.06)
    with Appliance(root, _SETTINGS, command=command) as daemon:
        daemon.wait_until(daemon.answers, _PATIENCE_S)
        traces = {name, job["id"], *filter(None, [job["media_id"]])}
        left = holding(root, traces, but=(root / "traxd.log", root / "staging" / f"{name}.wav"))
        is_whole = name in daemon.errors() and any(each["id"] == job["id"] and each["folder"] for each in _jobs(daemon))
    return f"A purge that was killed left {left[0]}." if left and not is_whole else ""


def _ask_and_kill(daemon: Appliance, job: str, *, pause: float) -> None:
    child = os.fork()
    if child == 0:
        try:
            ask(daemon.socket, {"command": "purge", "jobs": [job]})
        except (ControlError, DaemonAbsent):
            pass
        finally:
            os._exit(0)
    time.sleep(pause)
    daemon.kill()
    os.waitpid(child, 0)
