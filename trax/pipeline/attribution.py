"""Who said which word: words and turns in one sweep along time. Pure."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from trax.pipeline.tidy import milliseconds
from trax.transcript import Turn, Word

#: How far, in seconds, a word that no turn covers may lie from the nearest turn and still be that speaker's.
NEAREST_LIMIT = 1.0

_Spoken = tuple[int, int, str]


def attribute(words: Sequence[Word], turns: Sequence[Turn]) -> tuple[Word, ...]:
    """The words with their speakers.

    A word is spoken by whoever talks for most of it; where none does, by the speaker of the nearest turn, if that is within
    `NEAREST_LIMIT`; else by nobody. Of equals, the speaker whose turn comes first has it.

    Args:
        words: In order of time and without overlap, as `tidy_words` leaves them.
        turns: In order of start; those of one speaker do not overlap, as `tidy_turns` leaves them.

    The words never go back in time, so a turn that ended before one of them is done with: the work is
    words by voices at once, however long the recording.
    """
    spoken: list[_Spoken] = [(milliseconds(turn.start), milliseconds(turn.end), turn.speaker) for turn in turns]
    upcoming = 0
    current: list[_Spoken] = []
    past: _Spoken | None = None
    attributed: list[Word] = []
    for word in words:
        start, end = milliseconds(word.start), milliseconds(word.end)
        while upcoming < len(spoken) and spoken[upcoming][0] < end:
            current.append(spoken[upcoming])
            upcoming += 1
        for turn in current:
            if turn[1] <= start and (past is None or turn[1] > past[1]):
                past = turn
        current = [turn for turn in current if turn[1] > start]
        following = spoken[upcoming] if upcoming < len(spoken) else None
        speaker = _loudest(current, start, end) if current else _nearest(past, following, start, end)
        attributed.append(dataclasses.replace(word, speaker=speaker))
    return tuple(attributed)


def _loudest(turns: Sequence[_Spoken], start: int, end: int) -> str:
    """Who talks for the longest between start and end."""
    talk: dict[str, int] = defaultdict(int)
    for turn_start, turn_end, speaker in turns:
        talk[speaker] += min(turn_end, end) - max(turn_start, start)
    return max(talk, key=talk.__getitem__)  # of equals, the first: dicts keep the turns' order


def _nearest(past: _Spoken | None, following: _Spoken | None, start: int, end: int) -> str | None:
    """Whose turn is the nearer of the two around a word, within the limit."""
    candidates = []
    if past is not None:
        candidates.append((start - past[1], past[2]))
    if following is not None:
        candidates.append((following[0] - end, following[2]))
    distance, speaker = min(candidates, key=lambda candidate: candidate[0], default=(0, None))
    return speaker if distance <= milliseconds(NEAREST_LIMIT) else None
