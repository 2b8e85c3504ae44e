"""The stages of a job as a plain list, and which of them still have to run. Pure.

A stage makes one artefact from others. Its stamp is a hash of everything that decides the artefact: the recording, the stamps of
its inputs, the settings and models it uses, and the version of its algorithm. An artefact whose stamp is the expected one is
valid and never made again; so a retry, a crash or a second drop of the same recording runs only what is no longer valid.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from trax.settings_keys import KEYS


class Lane(StrEnum):
    """Where a stage runs."""

    DECODE = "decode"
    TRANSCRIBE = "transcribe"
    DIARIZE = "diarize"


@dataclass(frozen=True, slots=True)
class Stage:
    """One step. `makes` names the artefact and `file` where it lies (None: the stage's small result is all it makes).

    `needs` are artefacts (the plan, which comes before all others, is not among them: a stage depends on the models it uses, not on
    why they were chosen); `settings` are dotted keys of the job's snapshot and `models` roles of its plan that change the outcome;
    `version` goes up whenever the algorithm's outcome changes; `weight` is the stage's share of a job's time, for progress; one that
    `loads` needs its models in memory, another only what their cards say.
    """

    name: str
    lane: Lane
    makes: str
    file: str | None
    needs: tuple[str, ...] = field(default=(), compare=False)  # a stage stays itself where one that it could need is left out
    settings: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    version: int = 1
    weight: float = 1.0
    loads: bool = True


PLAN = Stage(
    "plan",
    Lane.DIARIZE,  # which is idle for most of the time: in the other, the next job would be decoded only after this one's words
    makes="plan",
    file=None,
    settings=(
        *("asr.engine", "asr.fast_model", "asr.refine_model", "asr.language", "diarize.model", "diarize.segmentation"),
        *("stages.refine", "stages.diarize", "enable_quantization"),
    ),
    weight=0.5,
)
NOISE_REDUCTION = "audio.noise_reduction"
DECODE = Stage("decode", Lane.DECODE, makes="pcm", file="pcm.raw", settings=(NOISE_REDUCTION,), weight=3)
VAD = Stage("vad", Lane.DIARIZE, makes="vad", file="vad.json", needs=("pcm",), models=("vad",), version=2, weight=1)
TRANSCRIBE = Stage(
    "transcribe",
    Lane.TRANSCRIBE,
    makes="fast",
    file="fast.json",
    needs=("pcm", "vad"),
    settings=("asr.language", "asr.vocabulary"),
    models=("asr",),
    version=5,
    weight=75,
)
REFINE = Stage(
    "refine",
    Lane.TRANSCRIBE,
    makes="refined",
    file="refined.json",
    needs=("pcm", "vad", "fast"),
    settings=("asr.language", "asr.vocabulary", "asr.refine_threshold"),
    models=("refine",),
    version=3,
    weight=40,
)
#: Only where there is such a model; those that need it go without where there is none.
SEGMENT = Stage(
    "segment", Lane.DIARIZE, makes="segmentation", file="segmentation.npz", needs=("pcm",), models=("segmentation",), weight=10
)
EMBED = Stage(
    "embed",
    Lane.DIARIZE,
    makes="embeddings",
    file="embeddings.npz",
    needs=("pcm", "vad", "segmentation"),
    models=("embedding",),
    version=2,
    weight=15,
)
CLUSTER = Stage(
    "cluster",
    Lane.DIARIZE,
    makes="turns",
    file="turns.json",
    needs=("embeddings", "vad", "segmentation"),
    settings=("diarize.min_speakers", "diarize.max_speakers", "diarize.clustering", "diarize.threshold"),
    models=("embedding",),
    version=2,
    weight=1,
    loads=False,
)

#: What a stage may need that no stage makes: the voices that were enrolled when the attempt began, known by their digest.
VOICES = "voices"
NAME = Stage(
    "name",
    Lane.DIARIZE,
    makes="names",
    file="names.json",
    needs=("embeddings", "turns", VOICES),
    settings=("diarize.profile_accept", "diarize.profile_suggest"),
    models=("embedding",),
    weight=0.5,
    loads=False,
)

STAGES = (PLAN, DECODE, VAD, TRANSCRIBE, REFINE, SEGMENT, EMBED, CLUSTER, NAME)

#: What is done again when speakers are sought anew; what these need is then taken as it lies, whichever Trax made it.
SPEAKERS = (CLUSTER, NAME)

#: Artefacts too large to keep once the job is done; a stage that needs one again makes it again.
LARGE = frozenset({DECODE.makes})


def stages_for(settings: Mapping[str, Any]) -> tuple[Stage, ...]:
    """The stages that a job with this snapshot asks for, each after those it needs."""
    asked = settings["stages"]
    names_speakers = asked["diarize"] and setting(settings, "diarize.profiles")
    left_out = (
        *(() if asked["refine"] else (REFINE,)),
        *(() if asked["diarize"] else (SEGMENT, EMBED, CLUSTER)),
        *(() if names_speakers else (NAME,)),
    )
    return tuple(stage for stage in STAGES if stage not in left_out)


def stages_with(plan: Mapping[str, Any], stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Those of the stages that there are models for: some are asked for wherever they can be, and cannot be everywhere."""
    lacking = [stage for stage, role in ((REFINE, "refine"), (SEGMENT, "segmentation")) if plan.get(role) is None]
    not_made = {stage.makes for stage in lacking}
    return tuple(
        replace(stage, needs=tuple(artefact for artefact in stage.needs if artefact not in not_made))
        for stage in stages
        if stage not in lacking
    )


def models_to_load(stages: Sequence[Stage], plan: Mapping[str, Any]) -> dict[Lane, list[Any]]:
    """The models that these stages will load, by lane, in the order of the stages; `plan` is the chosen models by role."""
    wanted: dict[Lane, list[Any]] = {}
    for stage in stages:
        if stage.loads and stage.models:
            wanted.setdefault(stage.lane, []).extend(plan[role] for role in stage.models)
    return wanted


def setting(settings: Mapping[str, Any], key: str) -> object:
    """The value of a dotted key; the default where the snapshot was taken before there was such a key."""
    section, _, leaf = key.rpartition(".")
    values = settings.get(section, {}) if section else settings
    return values[leaf] if leaf in values else KEYS[key].default


def stamp(
    stage: Stage,
    *,
    recording: str,
    settings: Mapping[str, Any],
    plan: Mapping[str, Any],
    inputs: Mapping[str, str],
) -> str:
    """The stamp a valid artefact of `stage` carries: 32 hex digits.

    `recording` is the SHA-256 of the source; `plan` the chosen models by role (empty for a stage that uses none);
    `inputs` the stamps of the artefacts by name.
    """
    decides = {
        "stage": stage.name,
        "version": stage.version,
        "recording": recording,
        "settings": {key: setting(settings, key) for key in stage.settings},
        "models": {role: model_identity(plan[role]) for role in stage.models},
        "inputs": {artefact: inputs[artefact] for artefact in stage.needs},
    }
    canonical = json.dumps(decides, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def model_identity(model: Mapping[str, Any]) -> dict[str, Any]:
    """A model without where it lies and where it came from: moved, on another machine, or pulled from another place, it is the same.

    What runs it is part of it: another build of whisper.cpp may hear another word.
    """
    library = {key: value for key, value in model.get("library", {}).items() if key != "path"}
    told = {key: value for key, value in model.items() if key not in {"path", "pulled", "library"}}
    return {**told, "library": library} if library else told


def still_to_run(stages: Sequence[Stage], valid: Collection[str], kept: Collection[str], wanted: Collection[str]) -> tuple[Stage, ...]:
    """Which stages must run so that the `wanted` artefacts are valid, in order.

    `valid` artefacts have the expected stamp; of those, `kept` ones still have their file. A stage whose artefact is valid is
    only run again when its file is gone and a stage that must run needs it.
    """
    needed = {artefact for artefact in wanted if artefact not in valid}
    to_run: list[Stage] = []
    for stage in reversed(stages):
        if stage.makes in needed:
            to_run.append(stage)
            needed.update(artefact for artefact in stage.needs if artefact not in valid or artefact not in kept)
    return tuple(reversed(to_run))


def overall_progress(stages: Sequence[Stage], fractions: Mapping[str, float]) -> float:
    """How much of a job is done, 0 to 1, from the fraction of each stage by name; stages that are not there are done."""
    total = sum(stage.weight for stage in stages)
    done = sum(stage.weight * fractions.get(stage.name, 1.0) for stage in stages)
    return done / total if total else 1.0
