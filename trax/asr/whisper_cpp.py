"""whisper.cpp: a loaded model and what it hears, through pywhispercpp's low-level bindings.

What is true of whisper.cpp 1.8 and matters here:

- Its random generator is seeded once, when a context is made, and runs on from one decoding to the next. Every sampled decoding (a
  temperature above 0) therefore starts from a context that is made anew, so that it depends on nothing that was heard before.
- The no-speech probability that it computes is of the wrong position wherever there is a prompt, and for every multilingual model
  (ggml-org/whisper.cpp, pull request 3945). Ours is computed as in openai/whisper: one step of the decoder from the start mark alone.
- It leaves out what it takes for no speech, by that wrong figure. It is told not to: who takes words out says so, elsewhere.
- With flash attention the last digits of the probabilities depend on the number of threads: it is off.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trax.asr.library import Library, bindings, log, wheel
from trax.asr.tokens import Token
from trax.audio.pcm import SAMPLE_RATE
from trax.errors import ModelError, WorkerError

_SHORTEST_INPUT = 1.25  # seconds; whisper.cpp ignores what is shorter than one
_NEVER = 2.0  # a probability that none exceeds


@dataclass(frozen=True, slots=True)
class Decoding:
    """How to decode. `audio_context` is in positions of the encoder (50 a second; 0: all); `max_tokens` bounds a loop."""

    language: str
    prompt: str
    threads: int
    audio_context: int = 0
    max_tokens: int = 0
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class HeardSegment:
    """The text tokens (at least one) between two time stamps; all times are seconds from the first sample."""

    start: float
    end: float
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """What is heard, and the probability that nobody speaks (0 where not known, and where nothing is heard)."""

    segments: tuple[HeardSegment, ...]
    no_speech: float

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Those of all segments."""
        return tuple(token for segment in self.segments for token in segment.tokens)


class WhisperCpp:
    """A model in a build of whisper.cpp, the wheel's unless said.

    Raises ModelError when it is refused, and as `trax.asr.library.bindings`.
    """

    def __init__(self, path: str, library: Library | None = None) -> None:
        self._path = path
        self._library = library or wheel()
        self._load()

    def hear(self, samples: NDArray[np.float32], decoding: Decoding, is_stopped: Callable[[], bool]) -> Heard:
        """Decode `samples` (shape (n,), 16 kHz, at most 30 s) greedily, or, above temperature 0, by sampling once.

        When `is_stopped` turns true it returns soon, with anything. Raises ModelError when the model's vocabulary is not what it should
        be, WorkerError when whisper.cpp fails.
        """
        if decoding.temperature > 0:
            self._renew()
        params, samples = self._params(decoding), _padded(samples)
        encoded = _Count()
        self._cpp.assign_abort_callback(params, lambda *_: is_stopped())
        self._cpp.assign_encoder_begin_callback(params, encoded)
        self._is_new = False
        try:
            status = self._cpp.whisper_full(self._context, params, samples, len(samples))
        except (IndexError, RuntimeError, ValueError) as error:  # C++ exceptions, such as for a token the vocabulary lacks
            raise ModelError(f"whisper.cpp cannot run the model: {error}.", file=self._path) from error
        if is_stopped():
            return Heard((), 0.0)
        if status:
            raise WorkerError(f"whisper.cpp failed with status {status}: {' '.join(list(log.lines)[-3:])}")
        segments = tuple(self._segments())
        if not segments:
            return Heard((), 0.0)
        if encoded.times > 1:  # what the encoder holds now is only the end
            self._cpp.whisper_encode(self._context, 0, decoding.threads)
        return Heard(segments, self._no_speech(decoding.threads))

    def language_probabilities(self, samples: NDArray[np.float32], threads: int) -> dict[str, float]:
        """How probable each language is that the model knows, by ISO 639 code; from `samples` alone, of shape (n,), 16 kHz."""
        if not self._is_new:
            self._renew()  # the encoder's context of the last decoding would be used
        samples = _padded(samples)
        self._cpp.whisper_pcm_to_mel(self._context, samples, len(samples), threads)
        likely = np.zeros(self._cpp.whisper_lang_max_id() + 1, dtype=np.float32)
        if self._cpp.whisper_lang_auto_detect(self._context, 0, threads, likely) < 0:
            raise WorkerError(f"whisper.cpp cannot tell the language: {' '.join(list(log.lines)[-3:])}")
        return {str(self._cpp.whisper_lang_str(index)): float(value) for index, value in enumerate(likely)}

    def _load(self) -> None:
        self._cpp, self._context = _load(self._path, self._library)
        self._free = weakref.finalize(self, self._cpp.whisper_free, self._context)  # the bindings leave the memory to us
        self._logits = _logits_function(self._cpp, self._context)
        self._is_new = True

    def _renew(self) -> None:
        if not self._is_new:
            self._free()
            self._load()

    def _params(self, decoding: Decoding) -> Any:  # noqa: ANN401 - an object of the bindings
        params = self._cpp.whisper_full_default_params(self._cpp.whisper_sampling_strategy.WHISPER_SAMPLING_GREEDY)
        params.n_threads = max(1, decoding.threads)
        params.language = decoding.language
        params.no_context = True
        params.suppress_nst = True
        params.token_timestamps = True
        params.temperature = decoding.temperature
        params.temperature_inc = 0.0
        params.greedy = {"best_of": 1}
        params.no_speech_thold = _NEVER
        params.audio_ctx = decoding.audio_context
        params.max_tokens = decoding.max_tokens
        params.print_progress = params.print_realtime = params.print_timestamps = params.print_special = False
        if decoding.prompt:
            params.initial_prompt = decoding.prompt
        return params

    def _segments(self) -> Iterator[HeardSegment]:
        for index in range(self._cpp.whisper_full_n_segments(self._context)):
            times = self._cpp.whisper_full_get_segment_t0, self._cpp.whisper_full_get_segment_t1
            start, end = (time(self._context, index) / 100 for time in times)
            tokens = tuple(self._tokens(index))
            if tokens:
                yield HeardSegment(start, end, tokens)

    def _tokens(self, segment: int) -> Iterator[Token]:
        end_of_text = self._cpp.whisper_token_eot(self._context)
        for index in range(self._cpp.whisper_full_n_tokens(self._context, segment)):
            token = self._cpp.whisper_full_get_token_data(self._context, segment, index)
            if token.id < end_of_text:  # the others are time stamps and marks
                text = self._cpp.whisper_token_to_bytes(self._context, token.id)
                yield Token(text, token.t0 / 100, token.t1 / 100, token.p)

    def _no_speech(self, threads: int) -> float:
        if self._logits is None:
            return 0.0
        if self._cpp.whisper_decode(self._context, self._cpp.whisper_token_sot(self._context), 1, 0, threads):
            raise WorkerError(f"whisper.cpp failed: {' '.join(list(log.lines)[-3:])}")
        logits = self._logits().astype(np.float64)
        powers = np.exp(logits - logits.max())
        mark = self._cpp.whisper_token_not(self._context) - 1  # <|nospeech|> stands before <|notimestamps|> in every vocabulary
        return float(powers[mark] / powers.sum())


class _Count:
    """Counts its calls, and lets whisper.cpp go on."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, *_: object) -> bool:
        self.times += 1
        return True


def _padded(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.pad(samples, (0, max(0, int(_SHORTEST_INPUT * SAMPLE_RATE) - len(samples))))


def _load(path: str, library: Library) -> tuple[Any, Any]:
    cpp = bindings(library)
    options = cpp.whisper_context_default_params()
    options.use_gpu = False
    options.flash_attn = False
    log.lines.clear()
    context = cpp.whisper_init_from_file_with_params(path, options)
    failed = [line for line in log.lines if "failed" in line or "error" in line.lower()]
    if failed:  # the bindings wrap a null pointer as if it were a model: only the log tells
        raise ModelError(f"whisper.cpp refuses the model: {failed[0]}.", file=path)
    return cpp, context


def _logits_function(cpp: Any, context: Any) -> Callable[[], NDArray[np.float32]] | None:  # noqa: ANN401 - objects of the bindings
    """What gives the logits of the decoder's last step, shape (vocabulary,); None where the bindings are not as we know them.

    The bindings make one number of whisper.cpp's array, so the library is asked itself. The context's address is where pybind11 keeps it:
    the object of C++ right after the head of Python's, and in that first whisper.cpp's own.
    """
    library = ctypes.CDLL(cpp.__file__)
    try:
        size, logits = library.whisper_n_vocab, library.whisper_get_logits
    except AttributeError:
        return None
    if not hasattr(context, "_pybind11_conduit_v1_"):
        return None
    held = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
    address = ctypes.c_void_p.from_address(held).value if held else None
    size.argtypes, logits.argtypes, logits.restype = [ctypes.c_void_p], [ctypes.c_void_p], ctypes.POINTER(ctypes.c_float)
    count = cpp.whisper_n_vocab(context)
    if not address or size(address) != count:
        return None
    return lambda: np.ctypeslib.as_array(logits(address), (count,))
