"""How well it is known when a word was said: by whisper.cpp's token times, by alignment with cross-attention (DTW), and as Trax does it.

The same words of the same windows each time, by the model `digits` on clean conversations of trained speakers; only their times differ.
Pauses at the edges of words are cut off each time (`trax.asr.edges`). `make accuracy` hears 20 windows, QUICK=1 3; `--write PAGE` writes
its section of the page.
"""

from __future__ import annotations

import argparse
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from digit_beds import KNOWN, Recording, beds, decoded
from digits import MODELS, plain
from machine import this_machine
from numpy.typing import NDArray
from page_sections import today, write_section
from speech_data import REPOSITORY, is_quick, require_data
from timed_alignment import Pair, aligned
from two_passes_result import time_errors

from trax.asr.alignment import aligned as aligned_by_sound
from trax.asr.edges import trimmed
from trax.asr.library import bindings
from trax.asr.sound import quietest_in, samples_of
from trax.asr.tokens import Token, words_of
from trax.asr.whisper_cpp import Decoding, HeardSegment, WhisperCpp
from trax.asr.windows import pack
from trax.audio.silero import Silero
from trax.audio.vad import find_speech
from trax.models.silero import weights
from trax.transcript import Word

_WINDOWS, _QUICK_WINDOWS = 20, 3
_LONGEST = 30.0  # seconds
_TOKENS = "token times"
_ALIGNED = "alignment by sound (Trax)"
#: Over the heads of how many last layers of the decoder. The heads that align are known for the published models alone.
_DTW = {"DTW, heads of the last layer": 1, "DTW, heads of the last two layers": 2}

_Placed = Callable[[HeardSegment, NDArray[np.float32]], Sequence[Word]]


class _Attending(WhisperCpp):
    """whisper.cpp with the times of alignment by cross-attention as those of its tokens, over all heads of the last `layers` layers."""

    def __init__(self, path: str, layers: int) -> None:
        self._layers = layers
        super().__init__(path)

    def _load(self) -> None:
        super()._load()
        self._free()
        cpp = bindings(self._library)
        options = cpp.whisper_context_default_params()
        options.use_gpu = options.flash_attn = False
        options.dtw_token_timestamps = True
        options.dtw_aheads_preset = cpp.WHISPER_AHEADS_N_TOP_MOST
        options.dtw_n_top = self._layers
        self._context = cpp.whisper_init_from_file_with_params(self._path, options)
        self._free = weakref.finalize(self, cpp.whisper_free, self._context)
        self._logits = None  # nobody asks whether somebody speaks

    def _tokens(self, segment: int) -> Iterator[Token]:
        found = (
            self._cpp.whisper_full_get_token_data(self._context, segment, index)
            for index in range(self._cpp.whisper_full_n_tokens(self._context, segment))
        )
        end_of_text = self._cpp.whisper_token_eot(self._context)
        for token, plainly in zip((token for token in found if token.id < end_of_text), super()._tokens(segment), strict=True):
            yield replace(plainly, start=token.t_dtw / 100, end=token.t_dtw / 100)


@dataclass(frozen=True, slots=True)
class Way:
    """An engine, and how the words of what it hears are placed."""

    engine: WhisperCpp
    placed: _Placed


def by_tokens(segment: HeardSegment, _: NDArray[np.float32]) -> Sequence[Word]:
    """Words with the times of their tokens."""
    return words_of(segment.tokens, "en")


def by_attention(segment: HeardSegment, _: NDArray[np.float32]) -> Sequence[Word]:
    """Words from where each is attended to to where the next one is: such a time is when a token begins."""
    words = words_of(segment.tokens, "en")
    starts = [*(word.start for word in words), max(segment.end, *(word.start for word in words))] if words else []
    return [replace(word, end=max(start, end)) for word, (start, end) in zip(words, pairwise(starts), strict=True)]


def by_sound(segment: HeardSegment, samples: NDArray[np.float32]) -> Sequence[Word]:
    """Words as Trax places them."""
    return aligned_by_sound(words_of(segment.tokens, "en"), segment.start, segment.end, samples)


def ways(file: Path) -> dict[str, Way]:
    """All ways to place words, on a model file."""
    engine, path = WhisperCpp(str(file)), str(file)
    attending = {name: Way(_Attending(path, layers), by_attention) for name, layers in _DTW.items()}
    return {_TOKENS: Way(engine, by_tokens), **attending, _ALIGNED: Way(engine, by_sound)}


def pairs(recording: Recording, way: Way, silero: Silero) -> tuple[Pair, ...]:
    """What was said and what was heard for it, placed in this way."""
    words: list[Word] = []
    with decoded(recording) as pcm:
        for window in pack(find_speech(pcm, silero, lambda _: None), _LONGEST, quietest_in(pcm)):
            samples = samples_of(pcm, window)
            for segment in way.engine.hear(samples, Decoding("en", "", threads=1), lambda: False).segments:
                for word in way.placed(segment, samples):
                    cut = trimmed(word, samples)
                    at = window.locate(cut.start, cut.end)
                    words.append(Word(plain(word.text), at.start, at.end, word.score))
    return aligned(recording.said, sorted(words, key=lambda word: (word.start, word.end)))


def measure(recordings: Sequence[Recording], file: Path) -> dict[str, tuple[Pair, ...]]:
    """The pairs of all recordings, by way."""
    silero = Silero(weights())
    return {name: tuple(pair for recording in recordings for pair in pairs(recording, way, silero)) for name, way in ways(file).items()}


def table(found: Mapping[str, Sequence[Pair]]) -> str:
    """Markdown: by how many milliseconds starts and ends are off, by way."""
    lines = ["| times by | words | starts: median | 95th percentile | ends: median | 95th percentile |", "|---|---:|---:|---:|---:|---:|"]
    for name, each in found.items():
        starts, ends = time_errors(each)
        figures = (f"{np.percentile(side, share):.0f}" for side in (starts, ends) for share in (50, 95))
        lines.append(f"| {name} | {len(starts)} | {' | '.join(figures)} |")
    return "\n".join(lines)


def section(text: str, windows: int) -> str:
    """The section of the page."""
    return f"""## Word times, on digits

Made by `python benchmarks/word_times.py --windows {windows}` on {today()}, on clean half minutes of trained speakers, by the model
`digits`; do not edit by hand. Machine: {this_machine()}.

{text}

By how many milliseconds the words that are right are off. What was said and heard is paired as for two passes. DTW aligns by
cross-attention (whisper.cpp's `dtw_token_timestamps`), over all heads of the decoder's last layers: which heads align best is known for
the published models alone. A word then lasts until the next one begins. The quiet at the edges of words is cut off each time.
"""


def main() -> int:
    """Measure, print the table, write the section if asked; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=_QUICK_WINDOWS if is_quick() else _WINDOWS, help="30 s each")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the section into this page, such as docs/accuracy.md")
    asked = parser.parse_args()
    text = table(measure(beds(require_data(), asked.windows)[KNOWN], REPOSITORY / "models" / MODELS["digits"]))
    print(f"machine: {this_machine()}\n\n{text}")
    if asked.write:
        write_section(asked.write, "word times", section(text, asked.windows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
