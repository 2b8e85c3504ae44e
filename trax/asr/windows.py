"""Windows: what an engine is given at once, packed from spans of speech, with the exact way back to the recording's times. Pure.

Of long pauses the most is left out of a window, so a time inside it is not simply an offset. Windows are cut at the longest pause in
their second half; only speech without a pause is cut inside, where the caller finds it quietest.
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
    windows: list[Window] = []
    pending: list[Span] = []
    for piece in _split(speech, longest, quietest):
        pending.append(piece)
        while len(pending) > 1 and _heard(pending) > longest:
            count = _best_cut(pending, longest)
            windows.append(_window(pending[:count]))
            del pending[:count]
    if pending:
        windows.append(_window(pending))
    return tuple(windows)


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


def _heard(pieces: Sequence[Span]) -> float:
    return _window(pieces).duration


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


def _best_cut(pieces: Sequence[Span], longest: float) -> int:
    """How many of `pieces` (together too long) to take: up to the longest pause after the first half, or as many as fit."""
    fitting = max(count for count in range(1, len(pieces)) if count == 1 or _heard(pieces[:count]) <= longest)
    pauses = [after.start - before.end for before, after in pairwise(pieces)]
    late = [count for count in range(1, fitting + 1) if _heard(pieces[:count]) >= longest / 2] or [fitting]
    return max(late, key=lambda count: (pauses[count - 1], count))
