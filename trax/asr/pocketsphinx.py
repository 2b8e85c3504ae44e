"""The built-in engine: PocketSphinx with the US English model that its wheel carries.

It knows 134,000 words of general English, and hears far less well than Whisper.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trax.asr.engine import Options, utterances
from trax.asr.sound import quietest_in, samples_of
from trax.asr.windows import Window, pack
from trax.audio.pcm import Pcm
from trax.errors import Cancelled, ModelError
from trax.transcript import Recognition, Span, Word

#: Seconds. The mean of the channel is taken over a window: 10 s of a conversation of five voices gave 53 % of word errors, 20 s 60 %.
_LONGEST_WINDOW = 10.0
_FRAMES_A_SECOND = 100

#: Limits of the search, measured on 205 s of LibriSpeech test-other on one core. `maxhmmpf` (HMMs kept a frame) from 30,000 to 3,000
#: takes a fifth of the time off and leaves the word errors as they are (60 %); so does leaving out the second, flat search. Skipped
#: frames (`ds` 2: 66 %) and narrower beams (63 %) cost more than they save. `cmn` is over the whole window, so that a window's words
#: depend on nothing before it.
_SETTINGS = {"maxhmmpf": 3000, "fwdflat": False, "cmn": "batch", "loglevel": "FATAL"}

#: A tenth of a second that is heard before each window, and forgotten. The decoder carries more over than `reinit_feat` takes back: without
#: it 5 of 160 short recordings had scores that differed in the fourth place after what others came before; with it none, for 7 ms a window.
_CLEARING_SOUND = np.tile(np.array([16, -16], "<i2"), 800).tobytes()

#: What stands in the hypothesis for what is not a word: <s>, </s>, <sil>, [NOISE], ++COUGH++.
_FILLER = re.compile(r"^(<.*>|\[.*\]|\+\+.*\+\+)$")
#: "read(2)" is the second pronunciation of "read".
_PRONUNCIATION = re.compile(r"\(\d+\)$")


class _Heard(Protocol):
    """One entry of a PocketSphinx segmentation; frames are of 10 ms, `end_frame` is the last one within."""

    word: str
    start_frame: int
    end_frame: int
    prob: float


class PocketSphinx:
    """A loaded decoder. Raises ModelError when the model of the wheel cannot be loaded."""

    is_calibrated = False

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        try:
            self._decoder = Decoder(**_SETTINGS)
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(f"The model of the pocketsphinx package cannot be loaded: {error}.") from error

    def transcribe(
        self,
        pcm: Pcm,
        speech: Sequence[Span],
        options: Options,
        on_progress: Callable[[float], None],
        is_cancelled: Callable[[], bool],
    ) -> Recognition:
        """See `Engine.transcribe`. English only; there is no way to prime it with a vocabulary, and it works on one core.

        The bindings hold Python's lock while they decode, so that more threads would only wait for each other.
        """
        language = options.language
        if language not in ("en", "auto"):
            raise ModelError(f"The built-in engine knows English only, not {language!r}.", advice="Add a Whisper model for that language.")
        words: list[Word] = []
        windows = pack(speech, _LONGEST_WINDOW, quietest_in(pcm))
        total, heard = sum(window.duration for window in windows), 0.0
        for window in windows:
            if is_cancelled():
                raise Cancelled("The transcription was given up.")
            words.extend(_words(window, self._decode(samples_of(pcm, window))))
            heard += window.duration
            on_progress(heard / total)
        return Recognition("en", utterances(words))

    def _decode(self, samples: NDArray[np.float32]) -> list[Any]:
        data = np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes()
        self._hear(_CLEARING_SOUND)
        self._hear(data)
        return list(self._decoder.seg() or ())

    def _hear(self, data: bytes) -> None:
        self._decoder.reinit_feat()  # forgets the noise and the channel of the window before, which would change this one's words
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(data, no_search=False, full_utt=True)
        finally:
            self._decoder.end_utt()


def _words(window: Window, heard: Sequence[_Heard]) -> Iterator[Word]:
    """The words of a segmentation, with the recording's times; `score` is the posterior in the word lattice."""
    for entry in heard:
        if _FILLER.match(entry.word):
            continue
        span = window.locate(entry.start_frame / _FRAMES_A_SECOND, (entry.end_frame + 1) / _FRAMES_A_SECOND)
        yield Word(_PRONUNCIATION.sub("", entry.word), span.start, span.end, min(1.0, max(0.0, float(entry.prob))))
