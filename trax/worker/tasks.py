"""What a lane worker can do: each task reads artefacts from the job's work folder and writes one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

from trax import files
from trax.asr.engine import Options
from trax.audio.pcm import Pcm
from trax.config import JobSettings, job_settings
from trax.errors import Cancelled, EmptyRecording
from trax.models.model import Model
from trax.plain import (
    diarization_from_plain,
    diarization_to_plain,
    likenesses_to_plain,
    recognition_from_plain,
    recognition_to_plain,
    spans_from_plain,
    spans_to_plain,
    voice_print_from_plain,
)
from trax.transcript import Span, VoicePrint
from trax.worker.cache import Cache

if TYPE_CHECKING:
    from trax.diarize.segment import Segmentation

OnProgress = Callable[[float], None]
IsCancelled = Callable[[], bool]
#: A similarity that no two voices have: names are only given where it is known from which likeness on they are right.
NEVER = 2.0


@dataclass(frozen=True, slots=True)
class Task:
    """One stage of one job. `inputs` and `output` name files in `folder`; `models` is the job's plan, by role."""

    kind: str
    job: str
    folder: Path
    inputs: Mapping[str, str]
    output: str | None
    settings: JobSettings
    models: Mapping[str, Model]
    models_folder: Path
    voices: Sequence[VoicePrint] = ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Task:
        """The task of a message from the supervisor."""
        return cls(
            kind=plain["kind"],
            job=plain["job"],
            folder=Path(plain["folder"]),
            inputs=plain["inputs"],
            output=plain["output"],
            settings=job_settings(plain["settings"]),
            models={role: Model.from_plain(model) for role, model in plain["models"].items() if model},
            models_folder=Path(plain["models_folder"]),
            voices=tuple(map(voice_print_from_plain, plain.get("voices", ()))),
        )

    def input(self, artefact: str) -> Path:
        """The path of an input artefact."""
        return self.folder / self.inputs[artefact]

    def write_json(self, value: object) -> None:
        """Write the output artefact, durably and whole."""
        assert self.output is not None
        files.write_bytes(self.folder / self.output, json.dumps(value, separators=(",", ":")).encode())

    def speech(self) -> tuple[Span, ...]:
        """Where voice activity found speech."""
        return spans_from_plain(json.loads(self.input("vad").read_bytes())["speech"])


class Worker:
    """Performs tasks, with the models that are in its cache or come there. `threads` is how many cores it may use."""

    def __init__(self, cache: Cache, threads: int) -> None:
        self._cache = cache
        self._threads = threads
        #: Why the build of whisper.cpp that is there is not used, as it was told last.
        self._refusal: str | None = None

    def perform(self, task: Task, on_progress: OnProgress, is_cancelled: IsCancelled) -> dict[str, Any]:
        """Do the task and return its small result. Raises errors of the tree, `Cancelled` among them."""
        return self._KINDS[task.kind](self, task, on_progress, is_cancelled)

    def _plan(self, task: Task, _progress: OnProgress, _cancelled: IsCancelled) -> dict[str, Any]:
        """Choose the models: the result is the plan, by role."""
        from trax.models.catalogue import catalogue
        from trax.models.choose import choose
        from trax.models.store import installed

        plan = choose(task.settings, installed(task.models_folder), catalogue().pairs)
        return {role: model and self._with_library(model, task).to_plain() for role, model in plan.by_role().items()}

    def _with_library(self, model: Model, task: Task) -> Model:
        """A Whisper model with the build of whisper.cpp that will run it, which is the same for all of a job's."""
        if model.engine != "whisper":
            return model
        from trax.asr.native import chosen, folder_beside

        choice = chosen(folder_beside(task.models_folder))
        if choice.refusal not in (None, self._refusal):
            logger.warning("the whisper.cpp built for this machine is not used: {} `trax-ctl engine build` makes another.", choice.refusal)
        self._refusal = choice.refusal
        return replace(model, library=choice.library.to_plain())

    def _vad(self, task: Task, on_progress: OnProgress, is_cancelled: IsCancelled) -> dict[str, Any]:
        from trax.audio.vad import find_speech

        def follow(fraction: float) -> None:
            if is_cancelled():
                raise Cancelled("The task was given up.")
            on_progress(fraction)

        with Pcm(task.input("pcm")) as pcm, self._cache.using(task.models["vad"]) as silero:
            speech = find_speech(pcm, silero, follow)
            task.write_json({"speech": spans_to_plain(speech), "duration": pcm.duration})
        return {"speech_seconds": round(sum(span.duration for span in speech), 3)}

    def _transcribe(self, task: Task, on_progress: OnProgress, is_cancelled: IsCancelled) -> dict[str, Any]:
        with Pcm(task.input("pcm")) as pcm, self._cache.using(task.models["asr"]) as engine:
            recognition = engine.transcribe(pcm, task.speech(), self._options(task), on_progress, is_cancelled)
        task.write_json(recognition_to_plain(recognition))
        return {"words": sum(len(segment.words) for segment in recognition.segments)}

    def _refine(self, task: Task, on_progress: OnProgress, is_cancelled: IsCancelled) -> dict[str, Any]:
        from trax.asr.refine import refine

        fast = recognition_from_plain(json.loads(task.input("fast").read_bytes()))
        with Pcm(task.input("pcm")) as pcm, self._cache.using(task.models["refine"]) as engine:
            threshold = task.settings.asr.refine_threshold
            refined = refine(fast, engine, pcm, task.speech(), self._options(task), threshold, on_progress, is_cancelled)
        task.write_json(recognition_to_plain(refined))
        return {"refined_seconds": round(sum(each.span.duration for each in refined.refinements), 3)}

    def _options(self, task: Task) -> Options:
        return Options(task.settings.asr.language, task.settings.asr.vocabulary, self._threads)

    def _segment(self, task: Task, on_progress: OnProgress, is_cancelled: IsCancelled) -> dict[str, Any]:
        from trax.diarize.segment import save, segment

        assert task.output is not None
        with Pcm(task.input("pcm")) as pcm, self._cache.using(task.models["segmentation"]) as segmenter:
            segmentation = segment(pcm, segmenter, on_progress, is_cancelled)
        save(task.folder / task.output, segmentation)
        return {"windows": len(segmentation.active)}

    def _segmentation(self, task: Task) -> Segmentation | None:
        """What a segmentation model made of the recording, None where there is no such model."""
        from trax.diarize.segment import load

        return load(task.input("segmentation")) if "segmentation" in task.inputs else None

    def _embed(self, task: Task, on_progress: OnProgress, is_cancelled: IsCancelled) -> dict[str, Any]:
        from trax.diarize.embed import embed, embed_local, save
        from trax.diarize.overlap import local_speakers

        assert task.output is not None
        segmentation = self._segmentation(task)
        with Pcm(task.input("pcm")) as pcm, self._cache.using(task.models["embedding"]) as encode:
            if segmentation is None:
                embeddings = embed(pcm, task.speech(), encode, on_progress, is_cancelled)
            else:
                embeddings = embed_local(pcm, local_speakers(segmentation).spans, encode, on_progress, is_cancelled)
        save(task.folder / task.output, embeddings)
        return {"windows": len(embeddings.windows)}

    def _cluster(self, task: Task, _progress: OnProgress, _cancelled: IsCancelled) -> dict[str, Any]:
        from trax.diarize.embed import load
        from trax.diarize.overlap import diarize_overlapping
        from trax.diarize.turns import diarize

        options = task.settings.diarize
        threshold = options.threshold if options.threshold is not None else float(task.models["embedding"].settings["threshold"])
        embeddings, segmentation = load(task.input("embeddings")), self._segmentation(task)
        bounds = {"min_speakers": options.min_speakers, "max_speakers": options.max_speakers}
        if segmentation is None:
            diarization = diarize(embeddings, task.speech(), threshold=threshold, method=options.clustering, **bounds)
        else:
            diarization = diarize_overlapping(segmentation, embeddings.vectors, threshold=threshold, **bounds)
        task.write_json(diarization_to_plain(diarization))
        return {"speakers": len({turn.speaker for turn in diarization.turns})}

    def _name(self, task: Task, _progress: OnProgress, _cancelled: IsCancelled) -> dict[str, Any]:
        """Whom the speakers sound like, of the voices that came with the task."""
        from trax.diarize.embed import load
        from trax.diarize.profiles import likenesses, voices

        options, card = task.settings.diarize, task.models["embedding"].settings
        accept = options.profile_accept if options.profile_accept is not None else float(card.get("profile_accept", NEVER))
        suggest = options.profile_suggest if options.profile_suggest is not None else float(card.get("profile_suggest", NEVER))
        turns = diarization_from_plain(json.loads(task.input("turns").read_bytes())).turns
        found = likenesses(voices(load(task.input("embeddings")), turns), task.voices, accept=accept, suggest=suggest)
        task.write_json(likenesses_to_plain(found))
        return {"named": sum(each.is_accepted for each in found.values())}

    def _voice(self, task: Task, on_progress: OnProgress, is_cancelled: IsCancelled) -> dict[str, Any]:
        """What the voice in a clip sounds like: the result is its print."""
        from trax.diarize.embed import embed
        from trax.diarize.profiles import mean_voice

        speech = task.speech()
        with Pcm(task.input("pcm")) as pcm, self._cache.using(task.models["embedding"]) as encode:
            embeddings = embed(pcm, speech, encode, on_progress, is_cancelled)
        if not len(embeddings.windows):
            raise EmptyRecording("Nobody speaks in it.", advice="Enrol a recording in which that person speaks.")
        vector = [round(float(value), 6) for value in mean_voice(embeddings.vectors)]
        return {"seconds": round(sum(span.duration for span in speech), 3), "vector": vector}

    _KINDS: Mapping[str, Callable[[Worker, Task, OnProgress, IsCancelled], dict[str, Any]]] = {
        "plan": _plan,
        "vad": _vad,
        "transcribe": _transcribe,
        "refine": _refine,
        "segment": _segment,
        "embed": _embed,
        "cluster": _cluster,
        "name": _name,
        "voice": _voice,
    }
