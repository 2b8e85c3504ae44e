"""The lane worker: a long-lived process that does one task at a time and keeps its models loaded between tasks.

    python -m trax.worker.lane --memory-bytes B --budget-bytes B --threads N

In:   {"id": 7, "kind": "transcribe", …}   a task (see `trax.worker.tasks.Task`)
      {"cancel": 7}                        give that task up
      {…, "keep": [model, …]}              any of them, or by itself: the models that will be wanted, the soonest first
      end of file                          the supervisor is gone or wants us gone
Out:  {"id": 7, "event": "progress", "fraction": 0.25}
      {"id": 7, "event": "done", "result": {…}}
      {"id": 7, "event": "error", "error": {code, what, advice, file, permanent}}
      {"event": "models", …}               what is loaded by now (see `trax.worker.cache.Cache.report`)

After an error for lack of memory the process is of no more use: nobody knows which of its parts went without. The supervisor replaces it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from loguru import logger

from trax import log
from trax.errors import TraxError, WorkerError, WorkerOutOfMemory, unforeseen
from trax.models.model import Model
from trax.worker.cache import Cache
from trax.worker.loading import load
from trax.worker.memory import go_first, is_out_of_memory, limit_memory
from trax.worker.protocol import Channel, Progress, die_with_parent, take_stdout
from trax.worker.sandbox import renounce
from trax.worker.tasks import Task, Worker


class _Inbound:
    """Reads stdin in its own thread, so that a cancellation is heard while a task runs."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.tasks: queue.Queue[Mapping[str, Any]] = queue.Queue()
        self._cancelled: set[int] = set()
        threading.Thread(target=self._read, name="inbound", daemon=True).start()

    def is_cancelled(self, task_id: int) -> bool:
        return task_id in self._cancelled

    def _read(self) -> None:
        try:
            for line in sys.stdin.buffer:
                message = json.loads(line)
                if "keep" in message:
                    self._keep(message["keep"])
                if "cancel" in message:
                    self._cancelled.add(message["cancel"])
                elif "id" in message:
                    self.tasks.put(message)
        finally:  # also when the last line came half: its writer was killed
            os._exit(0)  # at once, whatever native code is running: artefacts are only ever renamed into place whole

    def _keep(self, models: Sequence[Mapping[str, Any]]) -> None:
        with contextlib.suppress(KeyError, TypeError, ValueError):  # no models: the task that wants them will say so
            self._cache.keep([Model.from_plain(model) for model in models])


def _perform(worker: Worker, message: Mapping[str, Any], inbound: _Inbound, channel: Channel) -> None:
    task_id = int(message["id"])
    try:
        task = Task.from_plain(message)
        result = worker.perform(task, Progress(channel, id=task_id), lambda: inbound.is_cancelled(task_id))
    except TraxError as error:
        channel.send(id=task_id, event="error", error=error.as_dict())
    except Exception as error:  # noqa: BLE001 - whatever a library raises, the supervisor must get an answer
        told = _told(str(message.get("kind")), error)
        channel.send(id=task_id, event="error", error=told.as_dict())
    else:
        channel.send(id=task_id, event="done", result=result)


def _told(kind: str, error: Exception) -> WorkerError:
    if is_out_of_memory(error):
        return WorkerOutOfMemory(f"Stage {kind} needed more memory than a worker is allowed.")
    logger.exception("task {} failed", kind)
    return WorkerError(f"Stage {kind} failed: {unforeseen(error)}.")


def main() -> None:
    """Serve tasks until the supervisor closes the pipe."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for option in ("--memory-bytes", "--budget-bytes", "--threads"):
        parser.add_argument(option, type=int, required=True)
    asked = parser.parse_args()
    die_with_parent()
    go_first()
    limit_memory(asked.memory_bytes)
    channel = take_stdout()
    log.configure(os.environ.get("TRAX_LOG_LEVEL", "INFO"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the supervisor, which then ends us
    renounce()
    cache = Cache(partial(load, threads=asked.threads), asked.budget_bytes, lambda report: channel.send(event="models", **report))
    inbound = _Inbound(cache)
    worker = Worker(cache, asked.threads)
    channel.send(event="ready", pid=os.getpid())
    while True:
        message = inbound.tasks.get()
        with log.about(str(message.get("job", "-"))):
            _perform(worker, message, inbound, channel)


if __name__ == "__main__":
    main()
