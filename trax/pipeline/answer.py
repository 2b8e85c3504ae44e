"""What a job answers: its outputs as pieces of bytes, by ending, in the order to write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from trax.config import job_settings
from trax.errors import TraxError
from trax.formats import render_all, render_error
from trax.jobs.outputs import ERROR_ENDING
from trax.pipeline.consistency import check
from trax.pipeline.merge import assemble
from trax.pipeline.runner import Products
from trax.pipeline.second_pass import on_second_pass
from trax.pipeline.stages import model_identity
from trax.transcript import Media, Transcript


def transcript_of(
    products: Products,
    *,
    job: str,
    name: str,
    sha256: str,
    size: int,
    settings: Mapping[str, Any],
    settings_hash: str,
    run: Mapping[str, Any],
) -> Transcript:
    """Merge what the stages found. `name` is the recording's as dropped, `run` what is true of this run only.

    Raises WorkerError when a model gave nonsense, TranscriptError when the parts contradict each other.
    """
    found = products.media
    media = Media(
        name=name,
        sha256=sha256,
        size=size,
        duration=float(found["duration"]),
        container=str(found["container"]),
        codec=str(found["codec"]),
        sample_rate=int(found["sample_rate"]),
        channels=int(found["channels"]),
    )
    damaged = int(found.get("damaged_frames", 0))
    warnings = [f"{damaged} damaged pieces of the recording were skipped: some words may be missing."] if damaged else []
    warnings += products.notes
    models = {role: model_identity(model) for role, model in products.plan.items() if model}
    if products.second_pass_error is not None:
        del models["refine"]
    snapshot = job_settings(dict(settings))
    transcript = assemble(
        products.recognition,
        products.diarization,
        job=job,
        media=media,
        models=models,
        settings=snapshot,
        settings_hash=settings_hash,
        warnings=[*warnings, *on_second_pass(models, snapshot, products.second_pass_error)],
    )
    check(transcript)
    return replace(transcript, run={**run, "stage_seconds": {stage: round(seconds, 3) for stage, seconds in products.seconds.items()}})


def outputs_of(transcript: Transcript, settings: Mapping[str, Any]) -> dict[str, Iterable[bytes]]:
    """The outputs the job's settings ask for."""
    wanted = job_settings(dict(settings)).output.formats
    return {f".{name}": data for name, data in render_all(transcript, wanted).items()}


def error_outputs(error: TraxError, *, name: str, job: str) -> dict[str, Iterable[bytes]]:
    """The answer for a recording that was not transcribed."""
    return {ERROR_ENDING: (render_error(error, recording=name, job=job).encode(),)}
