"""What the network is shown: a window's tokens as rows, and for each what it has to say next, and where in the sound that is.

The sequence is Whisper's: START, then for every segment its first time stamp, its digits and its last, then END. A segment is up to three
digits of a turn: the decoder has few layers to keep its place by, and finds it again at every time stamp. A window that is cut inside a
digit ends with the time stamp at which that digit starts, so that the next window can begin there. A window without speech says
NO_SPEECH, or nothing between 0.00 and END.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.digits.mixtures import Digit, Mixture
from training.digits.vocabulary import DIGITS, END_ROW, FIRST_TIMESTAMP_ROW, NO_SPEECH_ROW, OTHER_ROW, START_ROW, TIMESTAMPS, timestamp_row

#: whisper.cpp takes no first time stamp later than this (`max_initial_ts`).
LATEST_FIRST = 1.0
#: How many digits of a turn make a segment.
SEGMENT = 3
#: How probable NO_SPEECH becomes where nobody speaks: more than whisper.cpp asks for (0.6). It goes on all the same, so the rest teaches it
#: to say the time stamp 0.00 and END: from any other stamp it would move on by as much and listen again.
_NO_SPEECH_SHARE = 0.75
#: Shares of the digits and time stamps that `misheard` changes, and how far it shifts a stamp (20 ms each).
_WRONG_DIGITS, _SHIFTED_STAMPS, _FARTHEST_SHIFT = 0.03, 0.4, 4
_NEAR = 0.06  # seconds on either side of where a word or an edge is


@dataclass(frozen=True, slots=True)
class Example:
    """One window for the network: `rows` (T) go in, `targets` (T) must come out, -1 where nothing is asked.

    `spans` (T, 2) is where in the window (seconds) the sound is that each target comes from, NaN where there is none; `digits` says when
    which digit is spoken. `position` is how many of the decoder's positions lie between START and what follows it.
    """

    samples: NDArray[np.float32]
    rows: NDArray[np.int64]
    targets: NDArray[np.int64]
    spans: NDArray[np.float32]
    digits: tuple[Digit, ...]
    position: int


def example(draw: np.random.Generator, mixture: Mixture, offset: float) -> Example:
    """A window as the network is shown it; its times count from `offset` (seconds), where it stands in a window of thirty seconds."""
    said: list[tuple[int, tuple[float, float] | None]] = []
    for segment in (turn[first : first + SEGMENT] for turn in mixture.turns for first in range(0, len(turn), SEGMENT)):
        said.append((_stamp(segment[0].start, offset, first=not said), _about(segment[0].start)))
        said += [(digit.digit, _during(digit)) for digit in segment]
        said.append((timestamp_row(segment[-1].end + offset), _about(segment[-1].end)))
    if mixture.cut is not None:
        said.append((_stamp(mixture.cut, offset, first=not said), _about(mixture.cut)))
    prompt = _prompt(draw)
    if not said:
        silent = draw.random() < _NO_SPEECH_SHARE
        rows = [*prompt, START_ROW, timestamp_row(0)]
        targets = [-1] * len(prompt) + [NO_SPEECH_ROW if silent else timestamp_row(0), END_ROW]
        where: list[tuple[float, float] | None] = [None] * len(rows)
    else:
        rows = [*prompt, START_ROW, *(row for row, _ in said)]
        targets = [-1] * len(prompt) + [row for row, _ in said] + [END_ROW]
        where = [None] * len(prompt) + [span for _, span in said] + [None]
    spans = np.array([span or (np.nan, np.nan) for span in where], dtype=np.float32)
    digits = tuple(digit for turn in mixture.turns for digit in turn)
    position = round(offset * 3) if offset else 0  # how far the decoder is after so many seconds of ordinary talk
    return Example(mixture.samples, np.array(rows), np.array(targets), spans, digits, position)


def misheard(draw: np.random.Generator, shown: Example) -> Example:
    """The same window as if what was said so far had small faults, as it has when the network goes by its own words.

    Source: S. Bengio et al., "Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks", 2015; here the faults are drawn.
    """
    rows = shown.rows.copy()
    said = np.arange(len(rows)) > int(np.argmax(rows == START_ROW))
    wrong = said & (rows < len(DIGITS)) & (draw.random(len(rows)) < _WRONG_DIGITS)
    rows[wrong] = draw.integers(len(DIGITS), size=int(wrong.sum()))
    off = said & (rows >= FIRST_TIMESTAMP_ROW) & (draw.random(len(rows)) < _SHIFTED_STAMPS)
    shifted = rows[off] + draw.integers(-_FARTHEST_SHIFT, _FARTHEST_SHIFT + 1, size=int(off.sum()))
    rows[off] = np.clip(shifted, FIRST_TIMESTAMP_ROW, FIRST_TIMESTAMP_ROW + TIMESTAMPS - 1)
    return replace(shown, rows=rows)


def _prompt(draw: np.random.Generator) -> list[int]:
    """Now and then some words before START, as a user's vocabulary or the text before would stand there."""
    if draw.random() > 0.1:
        return []
    words = draw.integers(1, 20)
    return [OTHER_ROW, *(int(draw.integers(10)) if draw.random() < 0.3 else OTHER_ROW for _ in range(words))]


def _stamp(time: float, offset: float, *, first: bool) -> int:
    return timestamp_row(min(time, LATEST_FIRST) if first and not offset else time + offset)


def _about(time: float) -> tuple[float, float]:
    return time - 2 * _NEAR, time + 2 * _NEAR


def _during(digit: Digit) -> tuple[float, float]:
    return digit.start - _NEAR, digit.end + _NEAR
