"""The Whisper engine: whisper.cpp through pywhispercpp's low-level bindings, on ggml files.

Every window is decoded by itself (greedily, without the text before it), so that a mistake does not spread and a window's words depend on
nothing but its sound. Flash attention is off: with it, the last digits of the probabilities depend on the number of threads.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trax.asr.edges import trimmed
from trax.asr.engine import Options
from trax.asr.sound import quietest_in, samples_of
from trax.asr.tokens import Token, words_of
from trax.asr.windows import Window, pack
from trax.audio.pcm import SAMPLE_RATE, Pcm
from trax.errors import Cancelled, ModelError, WorkerError
from trax.models.ggml.check import check_whole
from trax.models.model import Model
from trax.transcript import Recognition, Segment, Span, Word

_WHISPER_WINDOW = 30.0  # seconds; what the published models were trained on
_CONTEXT_A_SECOND = 50  # positions of the encoder
_SHORTEST_INPUT = 1.25  # seconds; whisper.cpp ignores what is shorter than one
_TEMPERATURE_STEP = 0.2


class _Log(threading.local):
    """What whisper.cpp said last in each thread: one model may be loaded while another is at work."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=50)


_log = _Log()


class Whisper:
    """A loaded Whisper model.

    Of the model's settings it heeds `window_seconds` (for models trained on shorter windows; the encoder then hears no more than that)
    and `temperature_inc` (0 forbids falling back to sampling when a window comes out badly).
    """

    def __init__(self, model: Model) -> None:
        """Raises ModelError when the file is missing, damaged, or refused by whisper.cpp."""
        if model.path is None:
            raise ModelError(f"The model {model.name!r} has no file.")
        self._path = model.path
        self._header = check_whole(Path(model.path))
        self._window = min(float(model.settings.get("window_seconds", _WHISPER_WINDOW)), _WHISPER_WINDOW)
        self._temperature_step = float(model.settings.get("temperature_inc", _TEMPERATURE_STEP))
        self._cpp, self._context = _load(model.path)
        weakref.finalize(self, self._cpp.whisper_free, self._context)  # the bindings leave the memory to us

    def transcribe(
        self,
        pcm: Pcm,
        speech: Sequence[Span],
        options: Options,
        on_progress: Callable[[float], None],
        is_cancelled: Callable[[], bool],
    ) -> Recognition:
        """See `Engine.transcribe`. With "auto" the longest window tells the language of the whole recording."""
        windows = pack(speech, self._window, quietest_in(pcm))
        language = self._language(pcm, windows, options)
        params = self._params(language, options)
        stopped = _Stop(is_cancelled)
        self._cpp.assign_abort_callback(params, stopped)
        segments: list[Segment] = []
        total, heard = sum(window.duration for window in windows), 0.0
        for window in windows:
            samples = _padded(samples_of(pcm, window))
            if not stopped():
                self._run(params, samples, stopped)
            if stopped.seen:
                raise Cancelled("The transcription was given up.")
            segments.extend(self._segments(window, samples, language))
            heard += window.duration
            on_progress(heard / total)
        return Recognition(language, tuple(segments))

    def _run(self, params: Any, samples: NDArray[np.float32], stopped: _Stop) -> None:  # noqa: ANN401 - an object of the bindings
        try:
            status = self._cpp.whisper_full(self._context, params, samples, len(samples))
        except (IndexError, RuntimeError, ValueError) as error:  # C++ exceptions, such as for a token the vocabulary lacks
            raise ModelError(f"whisper.cpp cannot run the model: {error}.", file=self._path) from error
        if status and not stopped.seen:
            raise WorkerError(f"whisper.cpp failed with status {status}: {' '.join(list(_log.lines)[-3:])}")

    def _language(self, pcm: Pcm, windows: Sequence[Window], options: Options) -> str:
        spoken, language = self._header.languages, options.language
        if language != "auto":
            if language not in spoken:
                raise ModelError(f"This model knows no {language!r}.", advice="Choose a multilingual Whisper model, or another language.")
            return language
        if len(spoken) == 1 or not windows:
            return spoken[0]
        samples = _padded(samples_of(pcm, max(windows, key=lambda window: window.duration)))
        self._cpp.whisper_pcm_to_mel(self._context, samples, len(samples), options.threads)
        likely = np.zeros(self._cpp.whisper_lang_max_id() + 1, dtype=np.float32)
        return str(self._cpp.whisper_lang_str(self._cpp.whisper_lang_auto_detect(self._context, 0, options.threads, likely)))

    def _params(self, language: str, options: Options) -> Any:  # noqa: ANN401 - an object of the bindings
        params = self._cpp.whisper_full_default_params(self._cpp.whisper_sampling_strategy.WHISPER_SAMPLING_GREEDY)
        params.n_threads = max(1, options.threads)
        params.language = language
        params.no_context = True
        params.suppress_nst = True
        params.token_timestamps = True
        params.temperature_inc = self._temperature_step
        params.print_progress = params.print_realtime = params.print_timestamps = params.print_special = False
        if self._window < _WHISPER_WINDOW:
            params.audio_ctx = min(round(self._window * _CONTEXT_A_SECOND), self._header.audio_context)
        if options.vocabulary:
            params.initial_prompt = ", ".join(options.vocabulary) + "."
        return params

    def _segments(self, window: Window, samples: NDArray[np.float32], language: str) -> Iterator[Segment]:
        for index in range(self._cpp.whisper_full_n_segments(self._context)):
            words = [_located(trimmed(word, samples), window) for word in words_of(self._tokens(index), language)]
            if words:
                yield Segment(words[0].start, max(word.end for word in words), tuple(words))

    def _tokens(self, segment: int) -> Iterator[Token]:
        end_of_text = self._cpp.whisper_token_eot(self._context)
        for index in range(self._cpp.whisper_full_n_tokens(self._context, segment)):
            token = self._cpp.whisper_full_get_token_data(self._context, segment, index)
            if token.id < end_of_text:  # the others are time stamps and marks
                text = self._cpp.whisper_token_to_bytes(self._context, token.id)
                yield Token(text, token.t0 / 100, token.t1 / 100, token.p)


class _Stop:
    """Asks whether to stop, from whisper.cpp's threads too, and remembers a yes."""

    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        self._is_cancelled = is_cancelled
        self.seen = False

    def __call__(self, *_: object) -> bool:
        self.seen = self.seen or self._is_cancelled()
        return self.seen


def _padded(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.pad(samples, (0, max(0, int(_SHORTEST_INPUT * SAMPLE_RATE) - len(samples))))


def _located(word: Word, window: Window) -> Word:
    span = window.locate(word.start, word.end)
    return Word(word.text, span.start, span.end, word.score)


@cache
def _bindings() -> Any:  # noqa: ANN401 - a module without types
    import _pywhispercpp as cpp

    cpp.whisper_log_set(lambda _level, text: _log.lines.append(str(text).strip()))
    # called after Python is gone, the callback would bring the process down
    atexit.register(cpp.whisper_log_set, None)
    return cpp


def _load(path: str) -> tuple[Any, Any]:
    cpp = _bindings()
    options = cpp.whisper_context_default_params()
    options.use_gpu = False
    options.flash_attn = False
    _log.lines.clear()
    context = cpp.whisper_init_from_file_with_params(path, options)
    failed = [line for line in _log.lines if "failed" in line or "error" in line.lower()]
    if failed:  # the bindings wrap a null pointer as if it were a model: only the log tells
        raise ModelError(f"whisper.cpp refuses the model: {failed[0]}.", file=path)
    return cpp, context
