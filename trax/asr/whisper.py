"""The Whisper engine, on ggml files.

Every window is decoded by itself (greedily, without the text before it), so that a mistake does not spread and a window's words depend on
nothing but its sound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trax.asr.alignment import aligned
from trax.asr.confidence import Calibration, calibrated
from trax.asr.edges import trimmed
from trax.asr.engine import Options
from trax.asr.evidence import evidence_of
from trax.asr.fallback import TEMPERATURES, Allowance, Quality
from trax.asr.hallucinations import sifted
from trax.asr.language import spread, voted
from trax.asr.library import Library
from trax.asr.sound import quietest_in, samples_of
from trax.asr.tokens import words_of
from trax.asr.whisper_cpp import Decoding, Heard, WhisperCpp
from trax.asr.windows import Window, pack
from trax.audio.pcm import Pcm
from trax.errors import Cancelled, ModelError
from trax.models.ggml.check import check_whole
from trax.models.model import Model
from trax.transcript import Recognition, Segment, Span, Word

_WHISPER_WINDOW = 30.0  # seconds; what the published models were trained on
_CONTEXT_A_SECOND = 50  # positions of the encoder
_CONTEXT_MARGIN = 200
_TOKENS_A_SECOND, _LEAST_TOKENS = 20, 20  # twice what the fastest talkers need


class Whisper:
    """A loaded Whisper model.

    Of the model's settings it heeds `window_seconds` (for models trained on shorter windows; the encoder then hears no more than that),
    `temperature_inc` (0 forbids decoding again by sampling when a window comes out badly), `calibration` (see `trax.asr.confidence`) and
    `encoder_context`. That is "full" by default: the encoder always hears a whole window, padded with silence, as published models were
    trained. With "window" it hears what there is and four seconds more: nearly five times as fast on 5 s, with other words. Of
    the digits heard in 5, 10 and 20 s 0, 1.5 and 0.8 % change (0, 3.0 and 7.4 % with two seconds more, 12, 11 and 13 % with none), and
    published models that were not fine-tuned for it fall into loops (ggml-org/whisper.cpp, issue 1951).
    """

    def __init__(self, model: Model) -> None:
        """Raises ModelError when the file is missing, damaged, or refused by whisper.cpp, or a setting is not as it should be."""
        if model.path is None:
            raise ModelError(f"The model {model.name!r} has no file.")
        self._header = check_whole(Path(model.path))
        self._window = min(float(model.settings.get("window_seconds", _WHISPER_WINDOW)), _WHISPER_WINDOW)
        self._may_sample = float(model.settings.get("temperature_inc", 1.0)) > 0
        self._calibration = Calibration.of(model.settings)
        self.is_calibrated = "calibration" in model.settings
        context = model.settings.get("encoder_context", "full")
        if context not in ("full", "window"):
            raise ModelError(f"The model's setting `encoder_context` must be full or window, not {context!r}.")
        self._follows_window = context == "window"
        self._whisper = WhisperCpp(model.path, Library.from_plain(model.library))

    def transcribe(
        self,
        pcm: Pcm,
        speech: Sequence[Span],
        options: Options,
        on_progress: Callable[[float], None],
        is_cancelled: Callable[[], bool],
    ) -> Recognition:
        """See `Engine.transcribe`. With "auto" several samples of the recording vote on its language."""
        windows = pack(speech, self._window, quietest_in(pcm))
        stopped = _Stop(is_cancelled)
        language = self._language(pcm, windows, options, stopped)
        plan = Decoding(language, _prompt(options.vocabulary), options.threads)
        total, heard = sum(window.duration for window in windows), 0.0
        allowance = Allowance(total, self._window)
        segments: list[Segment] = []
        for window in windows:
            samples = samples_of(pcm, window)
            decoded = self._decoded(samples, window, plan, allowance, stopped)
            segments.extend(self._segments(decoded, window, samples, language))
            heard += window.duration
            on_progress(heard / total)
        kept, quarantined = sifted(segments, speech, is_calibrated=self.is_calibrated)
        return Recognition(language, kept, quarantined)

    def _language(self, pcm: Pcm, windows: Sequence[Window], options: Options, stopped: _Stop) -> str:
        spoken, language = self._header.languages, options.language
        if language != "auto":
            if language not in spoken:
                raise ModelError(f"This model knows no {language!r}.", advice="Choose a multilingual Whisper model, or another language.")
            return language
        if len(spoken) == 1:
            return spoken[0]
        votes = []
        for window in spread(windows):
            stopped.check()
            votes.append(self._whisper.language_probabilities(samples_of(pcm, window), options.threads))
        return voted(votes, spoken)

    def _decoded(self, samples: NDArray[np.float32], window: Window, plan: Decoding, allowance: Allowance, stopped: _Stop) -> Heard:
        """The best of what is heard at temperature 0 and, where that is bad, above it."""
        seconds = window.duration
        plan = replace(plan, audio_context=self._audio_context(seconds), max_tokens=_LEAST_TOKENS + math.ceil(_TOKENS_A_SECOND * seconds))
        best = self._heard(samples, plan, stopped)
        quality = Quality.of(best.tokens, best.no_speech)
        for temperature in TEMPERATURES if self._may_sample else ():
            if quality.is_good or not allowance.take(seconds):
                break
            other = self._heard(samples, replace(plan, temperature=temperature), stopped)
            other_quality = Quality.of(other.tokens, other.no_speech)
            if other.segments and other_quality.rank > quality.rank:
                best, quality = other, other_quality
        return best

    def _heard(self, samples: NDArray[np.float32], decoding: Decoding, stopped: _Stop) -> Heard:
        stopped.check()
        heard = self._whisper.hear(samples, decoding, stopped)
        stopped.check()
        return heard

    def _audio_context(self, seconds: float) -> int:
        whole = min(round(self._window * _CONTEXT_A_SECOND), self._header.audio_context)
        return min(whole, math.ceil(seconds * _CONTEXT_A_SECOND) + _CONTEXT_MARGIN) if self._follows_window else whole

    def _segments(self, heard: Heard, window: Window, samples: NDArray[np.float32], language: str) -> Iterator[Segment]:
        for segment in heard.segments:
            placed = aligned(words_of(segment.tokens, language), segment.start, segment.end, samples)
            words = [_located(trimmed(word, samples), window) for word in placed]
            if words:
                evidence = evidence_of(segment.tokens, words, heard.no_speech)
                scored = calibrated(words, evidence, self._calibration)
                yield Segment(words[0].start, max(word.end for word in words), scored, evidence=evidence)


class _Stop:
    """Asks whether to stop, from whisper.cpp's threads too, and remembers a yes."""

    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        self._is_cancelled = is_cancelled
        self._seen = False

    def __call__(self) -> bool:
        self._seen = self._seen or self._is_cancelled()
        return self._seen

    def check(self) -> None:
        """Raises Cancelled if so."""
        if self():
            raise Cancelled("The transcription was given up.")


def _prompt(vocabulary: Sequence[str]) -> str:
    return ", ".join(vocabulary) + "." if vocabulary else ""


def _located(word: Word, window: Window) -> Word:
    span = window.locate(word.start, word.end)
    return Word(word.text, span.start, span.end, word.score)
