"""Which word that was heard stands for which word that was said: the fewest errors and, among equals, the nearest in time. Pure.

The fewest errors alone do not tell which of two equal words was missed, nor when.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scoring import WordErrors

from trax.transcript import Word

_Cost = tuple[int, float]  # errors, and seconds between the middles of what is paired


@dataclass(frozen=True, slots=True)
class Pair:
    """A word that was said and what was heard for it; None where nothing was."""

    said: Word | None
    heard: Word | None

    @property
    def is_right(self) -> bool:
        """Whether what was said was heard."""
        return self.said is not None and self.heard is not None and self.said.text == self.heard.text

    @property
    def time(self) -> float:
        """When: the middle of what was heard, and of what was said where nothing was."""
        word = self.heard or self.said
        assert word is not None
        return _middle(word)


def aligned(said: Sequence[Word], heard: Sequence[Word]) -> tuple[Pair, ...]:
    """The pairs, in order (Levenshtein's distance, by dynamic programming). Time and memory grow with the product of the lengths."""
    costs: list[list[_Cost]] = [[(column, 0.0) for column in range(len(heard) + 1)]]
    for row, word in enumerate(said, 1):
        costs.append([(row, 0.0)])
        for column, other in enumerate(heard, 1):
            costs[row].append(min(_paired(costs[row - 1][column - 1], word, other), _alone(costs[row - 1][column]), _alone(costs[row][-1])))
    pairs: list[Pair] = []
    row, column = len(said), len(heard)
    while row or column:
        here = costs[row][column]
        if row and column and here == _paired(costs[row - 1][column - 1], said[row - 1], heard[column - 1]):
            row, column = row - 1, column - 1
            pairs.append(Pair(said[row], heard[column]))
        elif row and here == _alone(costs[row - 1][column]):
            row -= 1
            pairs.append(Pair(said[row], None))
        else:
            column -= 1
            pairs.append(Pair(None, heard[column]))
    return tuple(reversed(pairs))


def errors(pairs: Iterable[Pair]) -> WordErrors:
    """What is wrong in them."""
    counted = [(pair.said is None, pair.heard is None, not pair.is_right) for pair in pairs]
    return WordErrors(
        substitutions=sum(wrong and not (added or missed) for added, missed, wrong in counted),
        deletions=sum(missed for _, missed, _ in counted),
        insertions=sum(added for added, _, _ in counted),
        words=sum(not added for added, _, _ in counted),
    )


def _paired(cost: _Cost, said: Word, heard: Word) -> _Cost:
    return cost[0] + (said.text != heard.text), cost[1] + abs(_middle(said) - _middle(heard))


def _alone(cost: _Cost) -> _Cost:
    return cost[0] + 1, cost[1]


def _middle(word: Word) -> float:
    return (word.start + word.end) / 2
