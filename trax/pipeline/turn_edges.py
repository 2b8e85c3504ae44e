"""Words at the edge of a turn that belong to the sentence beside them: given to whoever speaks that sentence. Pure.

Where one turn ends and the next begins, diarization is some tenths of a second off, and so are the times of words: the first or last
word of a sentence may fall to the neighbour. Sentence-majority realignment (M. Ashraf, whisper-diarization, 2023) gives a whole sentence
to whoever speaks most of it, and so swallows the "yes" that somebody throws in. Here only a short run of words at the edge goes, and only
where the same voice goes on beyond the edge: then the turn changes within the sentence, where few turns change. Somebody who says nothing
but these words keeps them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from trax.formats.lines import SENTENCE_ENDS, ends_with
from trax.transcript import Word

#: A silence between two words, in seconds, from which on they are of two sentences, whatever the punctuation.
PAUSE = 1.0
#: How long, in seconds, a run of words may be that is taken for the edge of a neighbour's turn.
EDGE = 0.4


def realign(words: Sequence[Word]) -> tuple[Word, ...]:
    """The words, in order of time and with their speakers; those at the edges of sentences put right as the head of this module says.

    Without punctuation there are no sentences to go by, and the words stay as they are.
    """
    said = list(sentences(words))
    realigned: list[Word] = []
    for at, sentence in enumerate(said):
        before = said[at - 1][-1] if at else None
        after = said[at + 1][0] if at + 1 < len(said) else None
        realigned += _realigned(sentence, before, after)
    return tuple(realigned)


def sentences(words: Sequence[Word]) -> Iterator[list[Word]]:
    """The words in runs that end with a sentence, or at a pause."""
    sentence: list[Word] = []
    for word in words:
        if sentence and (word.start - sentence[-1].end >= PAUSE or ends_with(sentence[-1].text, SENTENCE_ENDS)):
            yield sentence
            sentence = []
        sentence.append(word)
    if sentence:
        yield sentence


def _realigned(sentence: list[Word], before: Word | None, after: Word | None) -> list[Word]:
    """`before` and `after` are the words beyond the edges of the sentence."""
    (speaker, count), *_ = Counter(word.speaker for word in sentence).most_common()
    if speaker is None or count == len(sentence) or 2 * count <= len(sentence):
        return sentence
    lead = _edge(sentence, before)
    trail = _edge(sentence[::-1], after)
    return [
        replace(word, speaker=speaker) if at < lead or at >= len(sentence) - trail else word for at, word in enumerate(sentence)
    ]


def _edge(sentence: Sequence[Word], beyond: Word | None) -> int:
    """How many words from the first on are the rest of what is said beyond it."""
    neighbour = sentence[0].speaker
    if beyond is None or beyond.speaker != neighbour or _distance(beyond, sentence[0]) >= PAUSE:
        return 0
    run = next((at for at, word in enumerate(sentence) if word.speaker != neighbour), len(sentence))
    length = max(word.end for word in sentence[:run]) - min(word.start for word in sentence[:run])
    return run if length <= EDGE else 0


def _distance(one: Word, other: Word) -> float:
    return max(one.start, other.start) - min(one.end, other.end)
