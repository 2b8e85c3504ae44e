"""WER, cpWER, WDER and DER as the literature defines them. Sums of errors are kept, so that results add up over recordings.

WER counts the words of all speakers in order of time. cpWER (concatenated minimum-permutation WER: Watanabe et al., CHiME-6, 2020)
joins each speaker's words and pairs speakers so that the fewest errors remain; a speaker without a partner is all deletions or all
insertions. WDER (word diarization error rate: El Shafey, Soltau and Shafran, Interspeech 2019) is the part of the words that were
heard, rightly or not, that is given to the wrong speaker: what was missed or added counts in the WER alone. DER is pyannote.metrics':
missed speech + false alarm + confusion over the speech of the reference, overlap scored; a collar of c seconds leaves out c on either
side of each boundary of the reference (NIST's convention; pyannote counts the two sides together).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import jiwer
import numpy as np
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate
from scipy.optimize import linear_sum_assignment

from trax.transcript import Turn

_APOSTROPHES = str.maketrans("\u2019\u2018\u02bc", "'''")
_NOT_IN_WORDS = re.compile(r"[^\w']|_")
_SAME_WORD = {"mr": "mister", "dr": "doctor", "mrs": "missus", "st": "saint"}


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Errors in words; `words` is the number of words of the reference."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    words: int = 0

    @property
    def errors(self) -> int:
        """Wrong, missing and added words."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per word of the reference; infinite when there are errors against no words."""
        return _rate(self.errors, self.words)

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.words + other.words,
        )


@dataclass(frozen=True, slots=True)
class DiarizationErrors:
    """Errors in seconds; `speech` is the speech of the reference that was scored."""

    missed: float = 0.0
    false_alarm: float = 0.0
    confusion: float = 0.0
    speech: float = 0.0

    @property
    def rate(self) -> float:
        """The diarization error rate."""
        return _rate(self.missed + self.false_alarm + self.confusion, self.speech)

    @property
    def missed_rate(self) -> float:
        """The part of the speech that nobody is given."""
        return _rate(self.missed, self.speech)

    @property
    def false_alarm_rate(self) -> float:
        """Speech found where there is none, over the speech there is."""
        return _rate(self.false_alarm, self.speech)

    @property
    def confusion_rate(self) -> float:
        """The part of the speech that is given to the wrong speaker."""
        return _rate(self.confusion, self.speech)

    def __add__(self, other: DiarizationErrors) -> DiarizationErrors:
        return DiarizationErrors(
            self.missed + other.missed,
            self.false_alarm + other.false_alarm,
            self.confusion + other.confusion,
            self.speech + other.speech,
        )


def _rate(errors: float, total: float) -> float:
    if total:
        return errors / total
    return float("inf") if errors else 0.0


def normalise(text: str) -> str:
    """Text as it is scored: NFKC, lower case, apostrophes kept inside words, other punctuation a space, `mr`, `mrs`, `dr`, `st` in full.

    Numbers are left as they are: `20` against `twenty` is an error.
    """
    plain = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).casefold()
    words = (word.strip("'") for word in _NOT_IN_WORDS.sub(" ", plain).split())
    return " ".join(_SAME_WORD.get(word, word) for word in words if word)


def word_errors(reference: str, hypothesis: str) -> WordErrors:
    """Errors of the best alignment of two texts, both normalised here."""
    wanted, found = normalise(reference), normalise(hypothesis)
    if not wanted:
        return WordErrors(insertions=len(found.split()))
    output = jiwer.process_words(wanted, found)
    return WordErrors(output.substitutions, output.deletions, output.insertions, len(wanted.split()))


def cp_word_errors(reference: Mapping[str, str], hypothesis: Mapping[str, str]) -> WordErrors:
    """Errors of the best pairing of speakers: speaker → all their words. Words without a speaker go under a key of their own."""
    size = max(len(reference), len(hypothesis))
    wanted = [*reference.values(), *[""] * (size - len(reference))]
    found = [*hypothesis.values(), *[""] * (size - len(hypothesis))]
    pairs = [[word_errors(left, right) for right in found] for left in wanted]
    costs = np.array([[pair.errors for pair in row] for row in pairs]).reshape(size, size)
    # the sum over pairs is what cpWER minimises, so the assignment problem gives the best permutation without trying all
    rows, columns = linear_sum_assignment(costs)
    return sum((pairs[row][column] for row, column in zip(rows, columns, strict=True)), WordErrors())


@dataclass(frozen=True, slots=True)
class WordDiarizationErrors:
    """Words that were heard, rightly or not, and given to the wrong speaker; `words` is the number of words that were heard."""

    wrong: int = 0
    words: int = 0

    @property
    def rate(self) -> float:
        """The word diarization error rate."""
        return _rate(self.wrong, self.words)

    def __add__(self, other: WordDiarizationErrors) -> WordDiarizationErrors:
        return WordDiarizationErrors(self.wrong + other.wrong, self.words + other.words)


def word_diarization_errors(
    reference: Iterable[tuple[str, str]], hypothesis: Iterable[tuple[str, str | None]]
) -> WordDiarizationErrors:
    """Errors of the best pairing of speakers over words (text, speaker) in order of time; a word that nobody was given is wrong."""
    wanted, found = ([(token, who) for text, who in words for token in normalise(text).split()] for words in (reference, hypothesis))
    if not wanted or not found:
        return WordDiarizationErrors()
    output = jiwer.process_words(" ".join(token for token, _ in wanted), " ".join(token for token, _ in found))
    pairs = [
        (wanted[chunk.ref_start_idx + at][1], found[chunk.hyp_start_idx + at][1])
        for chunk in output.alignments[0]
        if chunk.type in {"equal", "substitute"}
        for at in range(chunk.ref_end_idx - chunk.ref_start_idx)
    ]
    given = [(one, other) for one, other in pairs if other is not None]
    theirs, ours = sorted({str(one) for one, _ in given}), sorted({other for _, other in given})
    together = np.zeros((len(theirs), len(ours)))
    for one, other in given:
        together[theirs.index(str(one)), ours.index(other)] += 1
    rows, columns = linear_sum_assignment(-together)
    return WordDiarizationErrors(len(pairs) - int(together[rows, columns].sum()), len(pairs))


def _annotation(turns: Iterable[Turn]) -> Annotation:
    annotation = Annotation()
    for track, turn in enumerate(turns):
        if turn.end > turn.start:
            annotation[Segment(turn.start, turn.end), track] = turn.speaker
    return annotation


def diarization_errors(reference: Iterable[Turn], hypothesis: Iterable[Turn], *, duration: float, collar: float) -> DiarizationErrors:
    """Errors of the best pairing of speakers over the whole recording; `duration` and `collar` (on either side) in seconds."""
    metric = DiarizationErrorRate(collar=2 * collar, skip_overlap=False)
    parts = metric(_annotation(reference), _annotation(hypothesis), uem=Timeline([Segment(0.0, duration)]), detailed=True)
    return DiarizationErrors(
        missed=float(parts["missed detection"]),
        false_alarm=float(parts["false alarm"]),
        confusion=float(parts["confusion"]),
        speech=float(parts["total"]),
    )


def overlapped(turns: Iterable[Turn]) -> float:
    """Seconds of speech that whoever names one speaker at a time must miss: for each further speaker at the same time, once."""
    edges = sorted(edge for turn in turns for edge in ((turn.start, 1), (turn.end, -1)))
    together, total = 0, 0.0
    for (at, step), (until, _) in pairwise(edges):
        together += step
        total += max(together - 1, 0) * (until - at)
    return total


def confused(reference: Iterable[Turn], hypothesis: Sequence[Turn]) -> tuple[float, ...]:
    """For each turn found, the seconds in which others speak but not whom its speaker stands for in the best pairing."""
    wanted, found = _annotation(reference), _annotation(hypothesis)
    partner = DiarizationErrorRate().optimal_mapping(wanted, found)
    spoken = wanted.get_timeline().support()

    def seconds(turn: Turn) -> float:
        span = Timeline([Segment(turn.start, turn.end)])
        said = spoken.crop(span).duration()
        right = wanted.label_timeline(partner[turn.speaker]).support().crop(span).duration() if turn.speaker in partner else 0.0
        return float(said - right)

    return tuple(seconds(turn) for turn in hypothesis)


def speaker_count_error(reference: Iterable[Turn], hypothesis: Iterable[Turn]) -> int:
    """Speakers found less speakers there are."""
    return len({turn.speaker for turn in hypothesis}) - len({turn.speaker for turn in reference})
