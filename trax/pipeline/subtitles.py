"""Words to subtitles: where one cue ends and the next begins. Pure.

The cues of a stretch of speech are chosen together: of all ways to cut it that keep the limits, the one whose cuts cost least
(dynamic programming over the cuts, as Knuth and Plass break paragraphs into lines, 1981). A cut is cheap after a sentence, dearer
after a clause or at a pause, dear between two words that follow each other; so that recognisers without punctuation are cut at pauses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from trax.formats.lines import CLAUSE_ENDS, LINE_WIDTH, MAX_LINES, SENTENCE_ENDS, ends_with, one_line, separator, width
from trax.pipeline.tidy import milliseconds, whole_milliseconds
from trax.transcript import Segment, Word

#: How long a subtitle stays, in seconds; a single word that is longer, and speech too quick for the shorter limit, are left as they are.
SHORTEST = 1.0
LONGEST = 7.0

#: A silence, in seconds, that always ends a subtitle.
ALWAYS_CUT_PAUSE = 2.0

# What things cost, in units of one more subtitle.
_CUE = 1.0
_CUT_IN_CLAUSE = 3.0  # between two words that follow each other
_CUT_AFTER_CLAUSE = 1.0
_CUT_AT_PAUSE = 0.5  # at a pause of _CLEAR_PAUSE or longer; shorter pauses cost in proportion more
_CLEAR_PAUSE = 0.6
_SILENCE_INSIDE = 2.5  # each second of clear pauses inside a subtitle: one of them outweighs a cut
_FULL = 0.5  # a full subtitle; in proportion to the square of the fill, so that of equal cuts the even ones win
_TOO_SHORT = 4.0  # each second that a subtitle lacks of SHORTEST


@dataclass(frozen=True, slots=True)
class _Run:
    """Consecutive words of one speaker, in arrays. Times in milliseconds, widths in columns.

    `columns[i]` is the width of the first i words, each with the space after it; `silence[i]` the clear pauses before word i
    in seconds; `cut[i]` what it costs to cut after word i; `until` when the next run begins.
    """

    starts: list[int]
    ends: list[int]
    columns: list[int]
    silence: list[float]
    cut: list[float]
    space: int
    label: int
    until: int


def subtitles(words: Sequence[Word], language: str, duration: float) -> tuple[Segment, ...]:
    """The words as readable subtitles: every word in one of them, in order; each of one speaker.

    A subtitle fits two lines of 42 columns, the speaker's name included, and lasts 1 to 7 s where the words allow it: one that is
    shorter than 1 s stays on until then, the next subtitle, or the end. Subtitles never overlap.

    Args:
        words: In order of time, without overlap, with their speakers.
        language: Decides how words are joined.
        duration: Of the recording, in seconds.
    """
    runs = list(_runs(words))
    following = [*(milliseconds(run[0].start) for run in runs), whole_milliseconds(duration)][1:]
    cues = [cue for run, until in zip(runs, following, strict=True) for cue in _cues(run, language, until)]
    ceilings = [*(milliseconds(cue[0].start) for cue in cues), whole_milliseconds(duration)][1:]
    return tuple(_segment(cue, ceiling) for cue, ceiling in zip(cues, ceilings, strict=True))


def _segment(words: Sequence[Word], ceiling: int) -> Segment:
    start, end = milliseconds(words[0].start), milliseconds(words[-1].end)
    shown_until = max(end, min(start + milliseconds(SHORTEST), ceiling))
    return Segment(words[0].start, shown_until / 1000, tuple(words), words[0].speaker)


def _runs(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    """The words cut wherever a subtitle must end: where the speaker changes, and at long pauses."""
    begin = 0
    for index, (word, after) in enumerate(pairwise(words), start=1):
        if word.speaker != after.speaker or after.start - word.end >= ALWAYS_CUT_PAUSE:
            yield words[begin:index]
            begin = index
    if words:
        yield words[begin:]


def _cues(words: Sequence[Word], language: str, until: int) -> Iterator[Sequence[Word]]:
    """The cheapest way to cut a run; `cost[i]` is that of its first i words and `begin[i]` where the last cue of them begins."""
    run = _measured(words, language, until)
    cost, begin = [0.0], [0]
    for end in range(1, len(words) + 1):
        costs = ((cost[start] + _cost(run, start, end), start) for start in _possible_starts(run, end))
        best, chosen = min(costs)
        cost.append(best)
        begin.append(chosen)
    cuts = [len(words)]
    while cuts[-1]:
        cuts.append(begin[cuts[-1]])
    return (words[start:end] for start, end in pairwise(reversed(cuts)))


def _measured(words: Sequence[Word], language: str, until: int) -> _Run:
    space = len(separator(language))
    starts = [milliseconds(word.start) for word in words]
    ends = [milliseconds(word.end) for word in words]
    pauses = [(after - before) / 1000 for before, after in zip(ends, starts[1:], strict=False)]
    clear = [pause if pause >= _CLEAR_PAUSE else 0.0 for pause in pauses]
    return _Run(
        starts=starts,
        ends=ends,
        columns=list(accumulate((max(width(one_line(word.text)), 1) + space for word in words), initial=0)),
        silence=list(accumulate(clear, initial=0.0)),
        cut=[_cost_of_cut(word.text, pause) for word, pause in zip(words, pauses, strict=False)] + [0.0],
        space=space,
        label=width(one_line(words[0].speaker)) + 2 if words[0].speaker else 0,
        until=until,
    )


def _cost_of_cut(text: str, pause: float) -> float:
    if ends_with(text, SENTENCE_ENDS):
        return 0.0
    share = min(pause / _CLEAR_PAUSE, 1.0)
    at_pause = _CUT_IN_CLAUSE + share * (_CUT_AT_PAUSE - _CUT_IN_CLAUSE)
    return min(at_pause, _CUT_AFTER_CLAUSE) if ends_with(text, CLAUSE_ENDS) else at_pause


def _possible_starts(run: _Run, end: int) -> Iterator[int]:
    """Where a subtitle that ends with word `end - 1` can begin, from the latest: one word always can be one."""
    yield end - 1
    for start in range(end - 2, -1, -1):
        too_long = run.ends[end - 1] - run.starts[start] > milliseconds(LONGEST)
        if too_long or not _fits(run, start, end):
            return
        yield start


def _fits(run: _Run, start: int, end: int) -> bool:
    """Whether the words fit the lines when each line takes as many as it can: no other way needs fewer lines."""
    first, room = start, LINE_WIDTH - run.label
    for _ in range(MAX_LINES):
        word = first
        while word < end and run.columns[word + 1] - run.columns[first] - run.space <= room:
            word += 1
        if word == end:
            return True
        first, room = word, LINE_WIDTH
    return False


def _cost(run: _Run, start: int, end: int) -> float:
    following = run.starts[end] if end < len(run.starts) else run.until
    lacks = max(SHORTEST - (following - run.starts[start]) / 1000, 0.0)
    silence = run.silence[end - 1] - run.silence[start]
    fill = (run.columns[end] - run.columns[start]) / (MAX_LINES * LINE_WIDTH)
    return _CUE + run.cut[end - 1] + _SILENCE_INSIDE * silence + _FULL * fill**2 + _TOO_SHORT * lacks
