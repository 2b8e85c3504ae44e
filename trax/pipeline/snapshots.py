"""What a job keeps of the settings, and how that is changed where someone asks for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trax.config import Settings, settings_hash, snapshot
from trax.jobs.job import Job
from trax.pipeline.stages import stages_for

#: A snapshot, its hash, and the names of the stages it asks for: as `Job` keeps them.
Kept = tuple[Mapping[str, Any], str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Otherwise:
    """How a job is to be done again: with the settings of today, in another language, or both; else as it was."""

    settings: Settings | None = None
    language: str | None = None

    def kept_by(self, job: Job) -> Kept | None:
        """What the job keeps from then on; None where it is done as it was."""
        kept = snapshot_of(self.settings) if self.settings is not None else None
        if self.language is not None:
            kept = in_language(kept or (job.settings, job.settings_hash, job.stages), self.language)
        return kept


def snapshot_of(settings: Settings) -> Kept:
    """What a job keeps of the settings."""
    return kept_of(snapshot(settings))


def in_language(kept: Kept, language: str) -> Kept:
    """The same with another language spoken, and nothing else changed."""
    plain, _, _ = kept
    return kept_of({**plain, "asr": {**plain["asr"], "language": language}})


def kept_of(plain: dict[str, Any]) -> Kept:
    """What a job keeps of a snapshot."""
    return plain, settings_hash(plain), tuple(stage.name for stage in stages_for(plain))
