"""Windows: what an engine is given at once, packed from spans of speech, with the exact way back to the recording's times. Pure.

Of long pauses the most is left out of a window, so a time inside it is not simply an offset. An engine takes about as long over any window,
however little there is in it, so there are as few as can be; of all ways to cut so few, that with the longest pauses between them is taken.
Only speech without a pause is cut inside, where the caller finds it quietest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from trax.audio.pcm import SAMPLE_RATE
from trax.transcript import Span

#: Where between two times (seconds of the recording) a cut does least harm.
Quietest = Callable[[float, float], float]

#: Pauses up to this long (seconds) stay in a window, and of longer ones so much: they tell an engine that a sentence ended. With no more
#: left of them than voice activity pads with (0.2 s), the digits models hear two turns as one and leave out words.
KEPT_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """Pieces of the recording, in order and apart, that an engine hears as one. Times in a window are seconds of what it hears."""

    pieces: tuple[Span, ...]

    @property
    def duration(self) -> float:
        """Seconds an engine hears."""
        return sum(piece.duration for piece in self.pieces)

    @property
    def end(self) -> float:
        """Where in the recording the window ends (seconds)."""
        return self.pieces[-1].end

    def locate(self, start: float, end: float) -> Span:
        """The recording's times of what is heard from `start` to `end` in the window; times outside the window mean its edges.

        What starts where two pieces meet starts with the later one, what ends there ends with the earlier one; a word that reaches over
        a pause that was left out has the pause in it.
        """
        first = self._find(start, lambda offset, stop: offset < stop)
        last = self._find(end, lambda offset, stop: offset <= stop)
        return Span(first, max(first, last))

    def _find(self, time: float, is_within: Callable[[float, float], bool]) -> float:
        heard = 0.0
        for piece in self.pieces:
            if is_within(time, heard + piece.duration):
                return piece.start + max(0.0, time - heard)
            heard += piece.duration
        return self.end


def pack(speech: Iterable[Span], longest: float, quietest: Quietest) -> tuple[Window, ...]:
    """Windows of at most `longest` seconds that together hold all of `speech` (in order, apart), each span once.

    `quietest(a, b)` names the best place to cut between `a` and `b` where a single span is longer than a window.
    """
    pieces = list(_split(speech, longest, quietest))
    cuts = [0, *_cuts(pieces, longest)]
    return tuple(_window(pieces[start:stop]) for start, stop in pairwise(cuts))


def _split(speech: Iterable[Span], longest: float, quietest: Quietest) -> Iterator[Span]:
    for span in speech:
        start, end = _snapped(span.start), _snapped(span.end)
        while end - start > longest:
            cut = _snapped(min(max(quietest(start + longest / 2, start + longest), start + longest / 2), start + longest))
            if cut - start > longest:
                cut -= 1 / SAMPLE_RATE  # rounding must not make a window too long
            yield Span(start, cut)
            start = cut
        if end > start:
            yield Span(start, end)


def _snapped(time: float) -> float:
    return round(time * SAMPLE_RATE) / SAMPLE_RATE


def _cuts(pieces: Sequence[Span], longest: float) -> list[int]:
    """Behind how many pieces each window ends: as few windows as can be, with the longest pauses between them, as far as they are kept.

    The best way to cut all up to a piece follows from the best ways up to each piece that its window may begin with (dynamic programming).
    """
    pauses = [KEPT_PAUSE, *(min(after.start - before.end, KEPT_PAUSE) for before, after in pairwise(pieces))]  # before each piece
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)]  # up to each piece: the windows, what their pauses lack, where the last begins
    for stop in range(1, len(pieces) + 1):
        ways: list[tuple[int, float, int]] = []
        heard = 0.0
        for start in range(stop - 1, -1, -1):
            heard += pieces[start].duration + (pauses[start + 1] if start + 1 < stop else 0.0)
            if heard > longest and ways:
                break
            windows, lacking, _ = best[start]
            ways.append((windows + 1, lacking + KEPT_PAUSE - pauses[start], start))
        best.append(min(ways))
    cuts = [len(pieces)] if pieces else []
    while cuts and (start := best[cuts[-1]][2]):
        cuts.append(start)
    return cuts[::-1]


def _window(pieces: Sequence[Span]) -> Window:
    """Neighbours with a short pause between them become one piece, pause included; of a long pause each side keeps half of `KEPT_PAUSE`."""
    joined = [pieces[0]]
    for piece in pieces[1:]:
        before = joined.pop()
        if piece.start - before.end <= KEPT_PAUSE:
            joined.append(Span(before.start, piece.end))
        else:
            joined += [Span(before.start, before.end + KEPT_PAUSE / 2), Span(piece.start - KEPT_PAUSE / 2, piece.end)]
    return Window(tuple(joined))
