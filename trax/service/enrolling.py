"""Enrolling people by hand: clips are taken into `state/speakers/NAME/`, and what they sound like is learnt at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trax import files
from trax.config import KNOWN_FORMATS, Settings, job_settings, snapshot
from trax.errors import SpeakerError
from trax.intake.names import unique
from trax.jobs import speakers
from trax.jobs.folders import StateFolders
from trax.jobs.speakers import Profile
from trax.pipeline import enrolment
from trax.pipeline.lanes import Lanes, StageTask
from trax.pipeline.local_lanes import local_lanes
from trax.pipeline.stages import PLAN


@dataclass(frozen=True, slots=True)
class Known:
    """A person as the model that is used now knows them: seconds of speech, and in words why they are not looked for, if so."""

    profile: Profile
    speech: float
    problem: str | None
    #: Others who sound so much alike that each may be taken for the other.
    alike: tuple[str, ...] = ()


async def enroll(settings: Settings, name: str, clips: Sequence[Path], *, is_kept: bool) -> Known:
    """Add clips to the person, who is made when new: all of them, or none when one cannot be used. `is_kept` says that they stay.

    Raises SpeakerError for what cannot be enrolled, StorageError where Trax's folders may not be written.
    """
    folders = StateFolders(settings.state_folder)
    files.make_folder(folders.speakers, speakers.FOLDER_MODE)
    name = speakers.checked_name(name)
    _check(clips)
    lanes = local_lanes(settings)
    try:
        async with enrolment.alone(folders.speakers):
            return await _enroll(settings, folders, lanes, name, clips, is_kept=is_kept)
    finally:
        await lanes.close()


def _check(clips: Iterable[Path]) -> None:
    for clip in clips:
        if not clip.is_file() or clip.suffix.lower() not in KNOWN_FORMATS:
            raise SpeakerError(f"{clip} is no recording.", advice=f"Name files of one of these kinds: {' '.join(KNOWN_FORMATS)}.")


async def _enroll(settings: Settings, folders: StateFolders, lanes: Lanes, name: str, clips: Sequence[Path], *, is_kept: bool) -> Known:
    means = await _means(settings, folders, lanes)
    is_new = not (folders.speakers / name).is_dir()
    place = speakers.make(folders.speakers, name)
    taken = [_take(clip, place) for clip in clips]
    files.hand_over(place, folders.speakers)  # the daemon must be able to read what root enrols
    profile = await enrolment.learn(folders.speakers, speakers.read(folders.speakers, name), means)
    if problems := [error for clip in taken if (error := profile.clips[clip].error)]:
        if is_new:
            files.remove_tree(place)
        for clip in () if is_new else taken:
            files.remove(place / clip)
        raise SpeakerError(f"{name} was not enrolled. {problems[0]}", advice="Leave that file out, or take another.")
    if not is_kept:
        discarded = {clip: replace(profile.clips[clip], is_kept=False) for clip in taken}
        profile = replace(profile, clips={**profile.clips, **discarded})
        speakers.write(folders.speakers, profile)  # first: a clip that goes before it is said to be discarded is one that was taken away
        for clip in taken:
            files.remove(place / clip)
    return _known(profile, speakers.enrolled(folders.speakers), means)


def _take(clip: Path, place: Path) -> str:
    stem = unique(clip.stem.lstrip(".") or "clip", lambda wanted: (place / f"{wanted}{clip.suffix}").exists())
    files.copy(clip.resolve(), place / f"{stem}{clip.suffix}", speakers.FILE_MODE)
    return f"{stem}{clip.suffix}"


async def everyone(settings: Settings) -> list[Known]:
    """Everyone enrolled; clips that were dropped are learnt first. Raises SpeakerError where the folder may not be read, StorageError."""
    folders = StateFolders(settings.state_folder)
    if not speakers.enrolled(folders.speakers):
        return []
    lanes = local_lanes(settings)
    try:
        means = await _means(settings, folders, lanes)
        profiles = await enrolment.learned(folders.speakers, means)
        return [_known(profile, profiles, means) for profile in profiles]
    finally:
        await lanes.close()


async def _means(settings: Settings, folders: StateFolders, lanes: Lanes) -> enrolment.Means:
    """What a job of these settings would use now; speakers are told apart for it, whatever is set."""
    plain = snapshot(settings)
    plain = {**plain, "stages": {**plain["stages"], "diarize": True}}
    task = StageTask(
        kind=PLAN.name,
        lane=PLAN.lane,
        job="-",
        folder=str(folders.speakers),
        source="",
        extension="",
        inputs={},
        output=None,
        settings=plain,
        models={},
        models_folder=str(folders.models),
    )
    return enrolment.Means(lanes, await lanes.run(task, lambda _fraction: None), plain, folders.models)


def _known(profile: Profile, everyone: Iterable[Profile], means: enrolment.Means) -> Known:
    key = enrolment.model_key(means.plan)
    try:
        voice = profile.voice(key)
    except SpeakerError as error:
        return Known(profile, profile.speech(key), error.what)
    accept = job_settings(dict(means.settings)).diarize.profile_accept or means.plan["embedding"]["settings"].get("profile_accept")
    alike = []
    for other in everyone:
        if accept is None or other.name == profile.name or other.speech(key) < speakers.LEAST_SPEECH:
            continue
        if sum(one * two for one, two in zip(voice.vector, other.voice(key).vector, strict=True)) >= accept:
            alike.append(other.name)
    return Known(profile, profile.speech(key), None, tuple(alike))
