"""Learning the voices of those who were enrolled, and who is to be looked for in a recording.

A clip goes the way of a recording: the media library meets it in the decode child alone, voice activity and the embedding run in a worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loguru import logger

from trax import files
from trax.errors import ModelError, RecordingError, SpeakerError, UnreadableRecording, WorkerError
from trax.intake.names import extension_of
from trax.jobs import speakers
from trax.jobs.speakers import Print, Profile
from trax.pipeline.lanes import Lanes, StageTask
from trax.pipeline.stages import DECODE, VAD, Lane, setting
from trax.plain import voice_print_to_plain
from trax.transcript import VoicePrint

_LOOK_AGAIN = 0.2  # seconds


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Whom to look for, and in words who is not looked for and why."""

    voices: tuple[VoicePrint, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """What tells these voices from others: 32 hex digits."""
        canonical = json.dumps([voice_print_to_plain(voice) for voice in self.voices], separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Means:
    """What prints are made with: the lanes, a job's plan and settings, and the folder of the models."""

    lanes: Lanes
    plan: Mapping[str, Any]
    settings: Mapping[str, Any]
    models_folder: Path


def model_key(plan: Mapping[str, Any]) -> str:
    """What tells the plan's embedding model from others."""
    return f"{plan['embedding']['name']} {plan['embedding']['sha256']}"


async def voices_for(folder: Path, means: Means) -> Enrolled:
    """Everyone enrolled in `folder`, as the plan's model knows them; prints that are lacking are made first. Raises StorageError."""
    key = model_key(means.plan)
    try:
        profiles = await learned(folder, means)
    except SpeakerError as error:
        return Enrolled(notes=(f"Nobody is named: {error.what[:1].lower()}{error.what[1:]}",))
    voices, notes = [], []
    for profile in profiles:
        try:
            voices.append(profile.voice(key))
        except SpeakerError as error:
            notes.append(f"{profile.name} was not looked for. {error.what}")
    if voices and not _knows_whom_to_accept(means):
        model = means.plan["embedding"]["name"]
        notes.append(f"Nobody is named: for {model} it was not measured how alike is alike enough. Set diarize.profile_accept.")
    return Enrolled(tuple(voices), tuple(notes))


def _knows_whom_to_accept(means: Means) -> bool:
    is_set = setting(means.settings, "diarize.profile_accept") is not None
    return is_set or "profile_accept" in means.plan["embedding"]["settings"]


async def learned(folder: Path, means: Means) -> tuple[Profile, ...]:
    """Everyone enrolled, each clip with its print by the plan's model, or the reason why there is none.

    Raises SpeakerError when the folder may not be read, StorageError.
    """
    key = model_key(means.plan)
    profiles = speakers.enrolled(folder)
    if not any(profile.lacking(key) for profile in profiles):
        return profiles
    async with alone(folder):
        return tuple([await learn(folder, profile, means) for profile in speakers.enrolled(folder)])


@contextlib.asynccontextmanager
async def alone(folder: Path) -> AsyncIterator[None]:
    """Wait until nobody else changes what is known of people, and keep them off for the block."""
    while True:
        with speakers.lock(folder) as is_free:
            if is_free:
                yield
                return
        await asyncio.sleep(_LOOK_AGAIN)


async def learn(folder: Path, profile: Profile, means: Means) -> Profile:
    """The profile with a print of each clip; what was found is made durable. To be called `alone`. Raises StorageError."""
    key = model_key(means.plan)
    for name in profile.lacking(key):
        clip, is_durable = profile.clips[name], True
        try:
            found = await _print_of(folder / profile.name / name, means)
            clip = replace(clip, prints={**clip.prints, key: found})
        except (UnreadableRecording, ModelError) as error:  # for now: nothing is wrong with the clip
            clip, is_durable = replace(clip, error=f"{name}: {error.what}"), False
        except (RecordingError, WorkerError) as error:
            clip = replace(clip, error=f"{name}: {error.what}")
        if clip.error:
            logger.warning("a clip of an enrolled voice cannot be used: {}", clip.error)
        profile = replace(profile, clips={**profile.clips, name: clip})
        if is_durable:
            speakers.write(folder, profile)
    return profile


async def _print_of(clip: Path, means: Means) -> Print:
    with files.temporary_beside(clip) as work:
        files.make_folder(work, speakers.FOLDER_MODE)
        try:
            await _run("decode", Lane.DECODE, clip, work, means, output=DECODE.file)
            await _run("vad", Lane.DIARIZE, clip, work, means, output=VAD.file)
            result = await _run("voice", Lane.DIARIZE, clip, work, means, output=None)
        finally:
            files.remove_tree(work)
    return Print(float(result["seconds"]), tuple(map(float, result["vector"])))


async def _run(kind: str, lane: Lane, clip: Path, work: Path, means: Means, *, output: str | None) -> dict[str, Any]:
    task = StageTask(
        kind=kind,
        lane=lane,
        job="-",
        folder=str(work),
        source=str(clip),
        extension=extension_of(clip.name),
        inputs={"pcm": str(DECODE.file), "vad": str(VAD.file)},
        output=output,
        settings=means.settings,
        models={role: means.plan[role] for role in ("vad", "embedding")},
        models_folder=str(means.models_folder),
    )
    return await means.lanes.run(task, lambda _fraction: None)
