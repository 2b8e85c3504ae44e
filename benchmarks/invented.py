"""Words where nobody speaks: an hour of silence, noises, tones and what is nearest to a voice, through both passes.

First as a user meets it: voice activity, the fast model, the better one over what is in doubt. Then each model is given everything, as if
voice activity had found speech throughout. QUICK=1 takes five minutes; `--minutes` chooses. Words count that stand in segments; those that
were quarantined are told beside them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from digits import MODELS, load
from goals import report
from machine import this_machine
from nonspeech import KINDS, Piece, pieces
from speech_data import REPOSITORY, SAMPLE_RATE, is_quick

from trax.asr.engine import Engine, Options
from trax.asr.refine import refine
from trax.audio.pcm import Pcm
from trax.audio.silero import Silero
from trax.audio.vad import find_speech
from trax.config import JobSettings
from trax.models.silero import weights
from trax.transcript import Recognition, Segment, Span

_MINUTES, _QUICK_MINUTES = 60.0, 5.0
_THREADS = 2


@dataclass(frozen=True, slots=True)
class Kinds:
    """Which kind of sound is where: kind `names[i]` begins at `starts[i]` (seconds)."""

    starts: Sequence[float]
    names: Sequence[str]

    def count(self, segments: Iterable[Segment]) -> Counter[str]:
        """How many words of the segments begin in each kind."""
        words = (word for segment in segments for word in segment.words)
        return Counter(self.names[max(0, bisect_right(self.starts, word.start) - 1)] for word in words)


@dataclass(frozen=True, slots=True)
class Found:
    """Words by kind of sound."""

    way: str
    kept: Counter[str]
    quarantined: Counter[str]

    def cell(self, kind: str) -> str:
        """What the table says: words kept, and those quarantined in brackets."""
        return f"{self.kept[kind]} ({self.quarantined[kind]})"


def write_sound(path: Path, sounds: Iterable[Piece]) -> Kinds:
    """Write the sounds as the decoder would (raw samples), one after the other."""
    starts, names, samples = list[float](), list[str](), 0
    with path.open("wb") as file:
        for piece in sounds:
            starts.append(samples / SAMPLE_RATE)
            names.append(piece.kind)
            samples += len(piece.samples)
            file.write((piece.samples * np.iinfo(np.int16).max).astype("<i2").tobytes())
    return Kinds(starts, names)


def heard(engine: Engine, pcm: Pcm, speech: Sequence[Span]) -> Recognition:
    """One pass."""
    return engine.transcribe(pcm, speech, _options(), lambda _: None, lambda: False)


def heard_twice(fast: Recognition, better: Engine, pcm: Pcm, speech: Sequence[Span]) -> Recognition:
    """The second pass, with the settings' threshold."""
    return refine(fast, better, pcm, speech, _options(), JobSettings().asr.refine_threshold, lambda _: None, lambda: False)


def _options() -> Options:
    return Options("en", threads=_THREADS)


def found(way: str, kinds: Kinds, recognition: Recognition) -> Found:
    """What a recognition holds that nobody said."""
    return Found(way, kinds.count(recognition.segments), kinds.count(each.segment for each in recognition.quarantined))


def table(rows: Sequence[Found]) -> str:
    """Words kept, and in brackets quarantined, by kind of sound and way, as a Markdown table."""
    lines = [f"| sound | {' | '.join(row.way for row in rows)} |", f"|---|{'---:|' * len(rows)}"]
    lines += [f"| {kind} | {' | '.join(row.cell(kind) for row in rows)} |" for kind in KINDS]
    lines.append(f"| **all** | {' | '.join(f'{row.kept.total()} ({row.quarantined.total()})' for row in rows)} |")
    return "\n".join(lines)


def measure(minutes: float) -> tuple[list[Found], float]:
    """What each way finds, the one a user meets first; and the share of the sound in which voice activity finds speech."""
    fast, better = (load(REPOSITORY / "models" / MODELS[name]) for name in ("digits-fast", "digits"))
    with tempfile.TemporaryDirectory(prefix="trax-invented-") as folder:
        path = Path(folder) / "pcm.raw"
        kinds = write_sound(path, pieces(minutes * 60))
        with Pcm(path) as pcm:
            everything = (Span(0.0, pcm.duration),)
            speech = find_speech(pcm, Silero(weights()), lambda _: None)
            first = heard(fast, pcm, speech)
            rows = [
                found("both passes", kinds, heard_twice(first, better, pcm, speech)),
                found("first pass", kinds, first),
                found("digits-fast, given everything", kinds, heard(fast, pcm, everything)),
                found("digits, given everything", kinds, heard(better, pcm, everything)),
            ]
            return rows, sum(span.duration for span in speech) / pcm.duration


def main() -> int:
    """Measure, print the table and the goals; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=_QUICK_MINUTES if is_quick() else _MINUTES)
    minutes = parser.parse_args().minutes
    rows, share = measure(minutes)
    print(f"machine: {this_machine()}\n{minutes:g} minutes; voice activity finds speech in {share:.1%}\n\n{table(rows)}\n")
    alone = sum(row.kept.total() for row in rows if "everything" in row.way)
    return report("invented", {"invented_words": rows[0].kept.total(), "invented_words_given_everything": alone})


if __name__ == "__main__":
    sys.exit(main())
