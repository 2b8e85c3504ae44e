"""Recordings to tell voices apart on, and who really speaks when in them.

Meetings (AMI) and two voices over one another (LibriSpeechMix) come with their references. Conversations are joined here of one utterance
each of up to ten speakers, cut where they pause: of those whom no training hears for the bench, of the others to tune and calibrate on
(`training.embedding.split`), so that no figure is of a voice that anything was fitted to.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from conversations import order_of_speakers
from pauses import find_speech
from speech_data import REPOSITORY, SAMPLE_RATE, Samples, read_audio

sys.path.insert(0, str(REPOSITORY))

from training.digits.sounds import background
from training.embedding.split import speakers
from trax.diarize.calibrate import read_rttm
from trax.transcript import Span, Turn

COUNTS = (2, 3, 4, 6, 10)
#: Speakers in order of which the joined conversations have: pauses alone; short remarks between and over the others' turns; noise as well.
KINDS = ("gaps", "interjections", "noise")
SEED = 29
_PIECE_S = 2.0  # at least; cut at the next pause
_LEAST_TALK_S = 8.0
_MARGIN_S = 0.05  # of sound kept on either side of a piece
_GAPS_S = (0.0, 1.5)
_REMARK_S = (0.4, 1.0)
_BEFORE_REMARK_S = 0.2
_REMARKS = 0.3  # of the turns are followed by a remark, half of them spoken over
_NOISE_DB = (10.0, 20.0)  # below the speech


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A sound, shape (n,), and who speaks when in it."""

    name: str
    samples: Samples
    turns: tuple[Turn, ...]

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def speakers(self) -> int:
        """How many there are."""
        return len({turn.speaker for turn in self.turns})


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of somebody's utterance: its sound, and what of it is speech, seconds from its start."""

    speaker: str
    samples: Samples
    speech: tuple[Span, ...]

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / SAMPLE_RATE


def meetings(data: Path) -> Iterator[Recording]:
    """The extracts of AMI."""
    for path in sorted((data / "ami").glob("*.wav")):
        yield Recording(f"ami-{path.stem}", read_audio(path), read_rttm(path.with_suffix(".rttm")))


def mixtures(data: Path) -> Iterator[Recording]:
    """LibriSpeechMix; its reference knows utterances, pauses and all."""
    for path in sorted((data / "librispeechmix").glob("*.flac")):
        yield Recording(f"mix-{path.stem}", read_audio(path), read_rttm(path.with_suffix(".rttm")))


def conversations(data: Path, each: int, *, left_out: bool = True, counts: Sequence[int] = COUNTS) -> Iterator[Recording]:
    """So many joined conversations of each kind and number of speakers, each time the same.

    They are of the people left out of training, or of the others. Who says less than 8 s in all takes part in none.
    """
    draw = np.random.default_rng([SEED, left_out])
    cast = [parts for path in speakers(data, left_out=left_out).values() if _talk(parts := pieces(path)) >= _LEAST_TALK_S]
    for count in counts:
        for kind in KINDS:
            for number in range(1, each + 1):
                chosen = [cast[index] for index in draw.choice(len(cast), count, replace=False)]
                yield _joined(f"{count}-{kind}-{number}", chosen, kind, draw)


def _talk(parts: Sequence[Piece]) -> float:
    return sum(span.duration for part in parts for span in part.speech)


def pieces(path: Path) -> list[Piece]:
    """An utterance cut into pieces of 2 s or more where it pauses."""
    samples, speaker = read_audio(path), path.name.split("-")[0]
    groups: list[list[Span]] = [[]]
    for span in find_speech(samples):
        if groups[-1] and groups[-1][-1].end - groups[-1][0].start >= _PIECE_S:
            groups.append([])
        groups[-1].append(span)
    return [_piece(speaker, samples, group) for group in groups if group]


def _piece(speaker: str, samples: Samples, speech: Sequence[Span]) -> Piece:
    first = max(0.0, speech[0].start - _MARGIN_S)
    sound = samples[round(first * SAMPLE_RATE) : round((speech[-1].end + _MARGIN_S) * SAMPLE_RATE)]
    return Piece(speaker, sound, tuple(Span(span.start - first, span.end - first) for span in speech))


def _remark(piece: Piece, draw: np.random.Generator) -> Piece:
    """The beginning of a piece, as a remark."""
    end = piece.speech[0].start + min(draw.uniform(*_REMARK_S), piece.speech[0].duration)
    return Piece(piece.speaker, piece.samples[: round(end * SAMPLE_RATE)], (Span(piece.speech[0].start, end),))


def _joined(name: str, said: Sequence[Sequence[Piece]], kind: str, draw: np.random.Generator) -> Recording:
    """All pieces, in rounds of whoever has any left."""
    by_speaker = {parts[0].speaker: parts for parts in said}
    coming = {speaker: iter(parts) for speaker, parts in by_speaker.items()}
    order = order_of_speakers(sorted(by_speaker), max(map(len, said)), random.Random(int(draw.integers(1 << 31))))
    at, placed = 0.0, list[tuple[float, Piece]]()
    for speaker in order:
        piece = next(coming[speaker], None)
        if piece is None:
            continue
        at += draw.uniform(*_GAPS_S)
        placed.append((at, piece))
        at += piece.seconds
        if kind != "gaps" and draw.random() < _REMARKS:
            others = [part for other, parts in sorted(by_speaker.items()) if other != speaker for part in parts]
            remark = _remark(others[int(draw.integers(len(others)))], draw)
            if draw.random() < 1 / 2:
                placed.append((at - max(remark.seconds, draw.uniform(0.0, piece.seconds)), remark))
            else:
                placed.append((at + _BEFORE_REMARK_S, remark))
                at += _BEFORE_REMARK_S + remark.seconds
    return _mixed(name, placed, draw if kind == "noise" else None)


def _mixed(name: str, placed: Sequence[tuple[float, Piece]], noise: np.random.Generator | None) -> Recording:
    """The pieces where they were placed (seconds), over noise if any is to be drawn."""
    starts = [max(0, round(at * SAMPLE_RATE)) for at, _ in placed]
    sound = np.zeros(max(start + len(piece.samples) for start, (_, piece) in zip(starts, placed, strict=True)) + SAMPLE_RATE // 2)
    turns = list[Turn]()
    for start, (_, piece) in zip(starts, placed, strict=True):
        sound[start : start + len(piece.samples)] += piece.samples
        begin = start / SAMPLE_RATE
        turns += [Turn(begin + span.start, begin + span.end, piece.speaker) for span in piece.speech]
    if noise is not None:
        speech = np.sqrt(np.mean(np.concatenate([piece.samples for _, piece in placed]).astype(np.float64) ** 2))
        sound += background(noise, len(sound)) * speech * 10 ** (-noise.uniform(*_NOISE_DB) / 20)
    limits = np.iinfo(np.int16)
    return Recording(name, np.clip(np.round(sound), limits.min, limits.max).astype(np.int16), tuple(sorted(turns, key=_start)))


def _start(turn: Turn) -> float:
    return turn.start
