"""The models a worker has loaded: each once, shared by all who use it, within a budget.

What is asked for and not there is loaded; before, others are evicted as far as needed. What will be wanted next is loaded ahead by a
thread of its own, if there is room without what is to be kept: whatever goes wrong there is only logged, and the model is loaded
in the ordinary way when its turn comes.

The budget is for the memory of the whole process. A model's cost is what the process grew by when it was loaded, and then in
its passes, most of which whisper.cpp allocates in the first.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from loguru import logger

from trax.errors import ModelError, TraxError, unforeseen
from trax.models.eviction import Held, evictions
from trax.models.footprint import footprint
from trax.models.model import Model
from trax.worker.memory import give_back, resident

#: PocketSphinx holds Python's lock for the half second in which it loads: beside a pass, it would only delay that.
_LOADS_ALONE = frozenset({"pocketsphinx"})


@dataclass(slots=True)
class _Loaded:
    """A loaded model. Its cost `is_settled` once a pass with it was measured; it `is_ahead` until someone uses it, or waits for it."""

    model: Model
    handle: Any
    cost: int
    last_used: int
    users: int
    is_ahead: bool
    is_settled: bool = False

    @property
    def owed(self) -> int:
        """What it will yet grow by when it is first used."""
        return 0 if self.is_settled else max(0, footprint(self.model) - self.cost)

    def as_held(self) -> Held:
        return Held(self.model.key, self.cost, self.last_used, self.users > 0)


class Cache:
    """Models under a budget. Safe to use from several threads.

    `load` makes of a model what runs it, which lets go of its memory when nothing refers to it any more; `budget` is in bytes, of the
    whole process; `tell` hears the report whenever it changes.
    """

    def __init__(self, load: Callable[[Model], Any], budget: int, tell: Callable[[dict[str, Any]], None]) -> None:
        self._load = load
        self._budget = budget
        self._tell = tell
        self._base = resident()
        self._turns = itertools.count(1)
        #: Guards all that follows, and is never held while a model is loaded.
        self._state = threading.Condition()
        self._loaded: dict[str, _Loaded] = {}
        self._keep: tuple[Model, ...] = ()
        self._failed_ahead: set[str] = set()
        self._loads = self._loads_ahead = self._evictions = 0
        #: What is being loaded now: by a task, and ahead of the others.
        self._under_way: dict[str, Model] = {}
        threading.Thread(target=self._look_ahead, name="ahead", daemon=True).start()

    def keep(self, models: Sequence[Model]) -> None:
        """Hear what will be wanted, the soonest first: it is kept before all else, and loaded ahead where there is room."""
        with self._state:
            self._keep = tuple(models)
            self._state.notify_all()

    @contextmanager
    def using(self, model: Model) -> Iterator[Any]:
        """What runs the model, for as long as the block lasts. Raises ModelError when it cannot be loaded or is larger than the budget."""
        loaded = self._take(model, count=True) or self._take_after_loading(model)
        before, changes = resident(), self._changes
        try:
            yield loaded.handle
        finally:
            give_back()  # what the pass took beside the model
            with self._state:
                if not loaded.is_settled and self._is_alone(changes):
                    loaded.cost += max(0, resident() - before)
                    loaded.is_settled = True
                loaded.users -= 1
                self._state.notify_all()
            self._tell(self.report())

    def report(self) -> dict[str, Any]:
        """What is loaded and what it costs, in bytes, the least recently used first; and how often something was loaded and evicted."""
        with self._state:
            in_order = sorted(self._loaded.values(), key=lambda loaded: loaded.last_used)
            return {
                "budget": self._budget,
                "loads": self._loads,
                "loads_ahead": self._loads_ahead,
                "evictions": self._evictions,
                "models": [{"name": loaded.model.name, "memory": loaded.cost} for loaded in in_order],
            }

    def _take(self, model: Model, *, count: bool) -> _Loaded | None:
        with self._state:
            loaded = self._loaded.get(model.key)
            if loaded is not None:
                if count and loaded.is_ahead:
                    self._loads_ahead += 1
                loaded.is_ahead = False
                loaded.users += 1
                loaded.last_used = next(self._turns)
                self._state.notify_all()
            return loaded

    def _take_after_loading(self, model: Model) -> _Loaded:
        with self._state:
            self._state.wait_for(lambda: model.key not in self._under_way)
            if (loaded := self._take(model, count=False)) is not None:  # it was just loaded, but not soon enough
                return loaded
            self._under_way[model.key] = model
        try:
            self._make_room(model)
            return self._put(model, users=1)
        finally:
            self._end_loading(model)

    def _end_loading(self, model: Model) -> None:
        with self._state:
            del self._under_way[model.key]
            self._state.notify_all()

    @property
    def _changes(self) -> tuple[int, int]:
        return self._loads, self._evictions

    def _is_alone(self, changes: tuple[int, int], model: Model | None = None) -> bool:
        """Whether since then nothing came or went but `model`: else nobody knows what the process grew by."""
        return changes == self._changes and not self._under_way.keys() - {model.key if model else ""}

    def _make_room(self, model: Model) -> None:
        need = footprint(model)
        if need > self._budget - self._base:
            raise ModelError(
                f"The model {model.name} needs about {_mb(need)} MB of memory, "
                f"and a worker may use {_mb(max(0, self._budget - self._base))} MB for its models.",
                file=model.path,
                advice="Choose a smaller model, or raise max_memory_gb, or lower max_workers: fewer workers have larger shares. "
                "Then `trax-ctl retry` the job.",
            )
        while True:  # what an eviction really gives back is only known afterwards
            with self._state:
                evicted = self._room_for(model, spare_kept=False)
                if evicted is None:  # what takes the room is no model: whether it is too much, the limit on the process will tell
                    evicted = tuple(key for key, loaded in self._loaded.items() if not loaded.users)
                self._evict(evicted)
            if not evicted:
                return
            self._tell(self.report())

    def _room_for(self, model: Model, *, spare_kept: bool) -> tuple[str, ...] | None:
        """What to evict for it; None when there is no room however much is evicted. To be called with the state held."""
        owed = sum(loaded.owed for loaded in self._loaded.values())
        owed += sum(footprint(other) for key, other in self._under_way.items() if key != model.key)
        missing = footprint(model) + resident() + owed - self._budget
        held = [loaded.as_held() for loaded in self._loaded.values()]
        return evictions(held, missing, [one.key for one in self._keep], spare_kept=spare_kept)

    def _evict(self, keys: Sequence[str]) -> None:
        """Let go of them. To be called with the state held: nobody may take what was chosen to go, nor look for room before it is there."""
        for key in keys:
            self._evictions += 1
            logger.debug("model {} evicted", self._loaded.pop(key).model.name)
        if keys:
            give_back()

    def _put(self, model: Model, *, users: int) -> _Loaded:
        """Load a model for which there is room."""
        before, changes = resident(), self._changes
        handle = self._load(model)
        with self._state:
            cost = max(0, resident() - before) if self._is_alone(changes, model) else footprint(model)
            loaded = self._loaded[model.key] = _Loaded(model, handle, cost, next(self._turns), users, is_ahead=users == 0)
            self._failed_ahead.discard(model.key)
            self._loads += 1
        logger.debug("model {} loaded{}", model.name, "" if users else " ahead")
        self._tell(self.report())
        return loaded

    def _look_ahead(self) -> None:
        while True:
            with self._state:
                self._state.wait_for(lambda: self._next() is not None)
                found = self._next()
                assert found is not None
                model, evicted = found
                self._evict(evicted)
                if not evicted:
                    self._under_way[model.key] = model
            if evicted:
                self._tell(self.report())  # and look again: it may have given back less than thought
            else:
                self._load_ahead(model)

    def _next(self) -> tuple[Model, tuple[str, ...]] | None:
        """The model to load ahead now, and what to evict for it. To be called with the state held."""
        if self._under_way:
            return None
        for model in self._keep:
            if model.key in self._loaded or model.key in self._failed_ahead or model.engine in _LOADS_ALONE:
                continue
            evicted = self._room_for(model, spare_kept=True) if footprint(model) <= self._budget - self._base else None
            return None if evicted is None else (model, evicted)  # another that fits would take the room of this one
        return None

    def _load_ahead(self, model: Model) -> None:
        try:
            self._put(model, users=0)
        except Exception as error:  # noqa: BLE001 - whatever a library raises: nobody waits for this, and its turn will come
            with self._state:
                self._failed_ahead.add(model.key)
            logger.info("model {} could not be loaded ahead: {}", model.name, error if isinstance(error, TraxError) else unforeseen(error))
        finally:
            self._end_loading(model)


def _mb(count: int) -> int:
    return count >> 20
