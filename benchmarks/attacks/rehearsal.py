"""One job through the real daemon, again and again: a process forked for each run, on lanes that hand out what the engines made before.

Everything else is as in earnest: receiver, ledger, workshop, publication, recovery. So a run takes a fraction of a second, and every point
of a job can be tried. As a program it serves requests, a JSON object a line: {"root": …, "config": …, "log": …, "point": {…}}; the
answer is the exit status of the daemon, negative for a signal, or null when the job was not done in time.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import yaml

from attacks.observed import Observer, Point
from trax import disk, files
from trax.pipeline.lanes import OnProgress, StageTask, WorkerView
from trax.pipeline.stages import STAGES, Lane

SETTINGS: dict[str, Any] = {
    "intake": {"settle_seconds": 0.02, "rescan_seconds": 0.2},
    "retries": {"first_delay_seconds": 0.01, "max_delay_seconds": 0.05},
    "output": {"formats": ["json", "srt", "vtt"]},
}
#: What a busy machine may take for a run of a fraction of a second.
_PATIENCE_S = 30.0


class RecordedLanes:
    """Lanes that hand out the artefacts in `made`, the folder of a job whose stages ran, by writes like those of the stages."""

    def __init__(self, made: Path) -> None:
        self._made = made
        self._one_at_a_time = asyncio.Lock()  # every run is to have the same operations in the same order

    @property
    def transcribers(self) -> int:
        """How many jobs can be transcribed at once."""
        return 1

    async def run(self, task: StageTask, on_progress: OnProgress) -> dict[str, Any]:
        """Hand out what the stage made."""
        (stage,) = (each for each in STAGES if each.name == task.kind)
        async with self._one_at_a_time:
            on_progress(0.0)
            if task.output is not None:
                files.write_bytes(Path(task.folder) / task.output, (self._made / task.output).read_bytes())
            result: dict[str, Any] = json.loads((self._made / f"{stage.makes}.stamp").read_bytes())["result"]
            return result

    def expect(self, job: str, models: Mapping[Lane, Sequence[Any]]) -> None:
        """Nothing is loaded."""

    async def close(self) -> None:
        """There is nobody to let go."""

    async def let_idle_go(self) -> None:
        """Nobody is idle."""

    def workers(self) -> tuple[WorkerView, ...]:
        """There are none."""
        return ()


class Stage:
    """Where the job is rehearsed: a server of runs, as a context manager. `made` is the folder of the artefacts."""

    def __init__(self, made: Path) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__, str(made)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.communicate()  # the end of its input ends it

    def run(self, root: Path, **point: Any) -> int | None:  # noqa: ANN401 - the fields of Point
        """Let the daemon work on `root` until the job is done, or it ends; returns as the module says. Its log is `root`.log."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        config = root.with_suffix(".yaml")
        config.write_text(yaml.safe_dump({**SETTINGS, "root": str(root), "socket": str(root / "traxd.sock")}), encoding="utf-8")
        asked = {"root": str(root), "config": str(config), "log": str(root.with_suffix(".log")), "point": point}
        self._server.stdin.write(json.dumps(asked) + "\n")
        answer: int | None = json.loads(self._server.stdout.readline())
        return answer


def _is_done(root: Path) -> bool:
    """Whether the daemon listens, and has nothing left to do."""
    if not (root / "traxd.sock").exists():
        return False
    try:
        busy = [path for folder in ("inbox", "state/work") for path in (root / folder).rglob("*") if path.name != ".trax"]
    except FileNotFoundError:  # it went while we looked
        return False
    return not busy and any((root / "outbox").glob("*.json"))


def _serve_one(asked: Mapping[str, Any], made: Path) -> int | None:
    root = Path(asked["root"])
    (root / "traxd.sock").unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _become_daemon(asked, root, made)
    began = time.monotonic()
    is_asked_to_stop = is_late = False
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return None if is_late else os.waitstatus_to_exitcode(status)
        if not is_asked_to_stop and _is_done(root):
            os.kill(child, signal.SIGTERM)
            is_asked_to_stop = True
        if time.monotonic() - began > _PATIENCE_S:
            is_late = True
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)


def _become_daemon(asked: Mapping[str, Any], root: Path, made: Path) -> None:
    status = 70
    try:
        log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(log, stream)
        from trax.service import daemon
        from trax.service.main import main
        from trax.worker.protocol import die_with_parent

        die_with_parent()

        vars(daemon)["local_lanes"] = lambda _settings: RecordedLanes(made)
        disk.observer = Observer(root, Point(**asked["point"]))
        status = main(["--config", asked["config"]])
    finally:
        os._exit(status)


def main() -> None:
    """Serve runs until the end of input."""
    import trax.service.daemon  # noqa: F401 - loaded once, before the forks

    for line in sys.stdin:
        print(json.dumps(_serve_one(json.loads(line), Path(sys.argv[1]))), flush=True)


if __name__ == "__main__":
    main()
