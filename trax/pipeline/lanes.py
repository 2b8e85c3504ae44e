"""The lanes: where stages run. All that the rest of Trax knows of it: `local_lanes` runs them in processes on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from trax.pipeline.stages import Lane

OnProgress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class StageTask:
    """One stage of one job as plain data: everything a lane needs, wherever it runs. `inputs` and `output` name files in `folder`.

    `voices` are the people to look for, as `trax.plain.voice_print_to_plain` gives them.
    """

    kind: str
    lane: Lane
    job: str
    folder: str
    source: str
    extension: str
    inputs: Mapping[str, str]
    output: str | None
    settings: Mapping[str, Any]
    models: Mapping[str, Any]
    models_folder: str
    voices: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that a worker has loaded, and the bytes of memory that it costs."""

    name: str
    memory: int


@dataclass(frozen=True, slots=True)
class CacheView:
    """A worker's models: what is loaded, the least recently used first, and of how many bytes the process may make use.

    `loads` and `evictions` count since the worker's start; `loads_ahead` are those loads that nobody had to wait for.
    """

    budget: int
    loads: int
    loads_ahead: int
    evictions: int
    models: tuple[LoadedModel, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> CacheView:
        """A worker's report. Raises KeyError, TypeError or ValueError when it is none: a worker has met hostile bytes."""
        counts = [plain[key] for key in ("budget", "loads", "loads_ahead", "evictions")]
        models = tuple(LoadedModel(str(model["name"]), model["memory"]) for model in plain["models"])
        if not all(isinstance(count, int) and count >= 0 for count in (*counts, *(model.memory for model in models))):
            raise ValueError("a count is no count")
        budget, loads, loads_ahead, evictions = counts
        return cls(budget, loads, loads_ahead, evictions, models)


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as `status` shows it; `cpu_seconds` since its start, `memory` in bytes; `cache` once it has loaded a model."""

    lane: str
    pid: int
    is_busy: bool
    cpu_seconds: float
    memory: int
    cache: CacheView | None


class Lanes(Protocol):
    """Runs stage tasks; follow one by its progress, cancel it by cancelling the awaiting task."""

    @property
    def transcribers(self) -> int:
        """How many jobs can be transcribed at once."""

    async def run(self, task: StageTask, on_progress: OnProgress) -> dict[str, Any]:
        """Do the task and return its small result. Raises errors of the tree.

        `on_progress` hears 0.0 when the work begins: before, the task may have waited for a worker.
        """

    def expect(self, job: str, models: Mapping[Lane, Sequence[Mapping[str, Any]]]) -> None:
        """Hear which models a job will still load in each lane, the soonest first, so that they are kept, or loaded ahead.

        To be called whenever that changes; none where the job is over.
        """

    async def close(self) -> None:
        """Let every worker go."""

    def workers(self) -> Sequence[WorkerView]:
        """The workers there are now."""
