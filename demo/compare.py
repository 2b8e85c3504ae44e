"""What was heard, held against what was really said: words, their times, and whose turn it was. Pure.

What was said is the answer beside the sample, turns with the time of every word; what was heard are the `word_segments` of Trax's JSON.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from statistics import median
from typing import Any

import jiwer


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of `said` words so many were heard right, as another word, or not at all, and so many heard that nobody said.

    `late` is the median of how far the words heard right begin from where they do (seconds; None where there are none); `turns_right` of
    `turns` went to the right voice.
    """

    said: int
    right: int
    wrong: int
    missed: int
    added: int
    late: float | None
    turns: int
    turns_right: int


def compare(turns: Sequence[Mapping[str, Any]], words: Sequence[Mapping[str, Any]]) -> Comparison:
    """Words are aligned so that the fewest differ (Levenshtein), whoever said them."""
    really = [word for turn in turns for word in turn["words"]]
    heard = [word for word in words if _plain(word["word"])]
    aligned = jiwer.process_words(" ".join(word["text"] for word in really), " ".join(_plain(word["word"]) for word in heard))
    pairs = [
        (really[part.ref_start_idx + step], heard[part.hyp_start_idx + step])
        for part in aligned.alignments[0]
        if part.type == "equal"
        for step in range(part.ref_end_idx - part.ref_start_idx)
    ]
    return Comparison(
        said=len(really),
        right=aligned.hits,
        wrong=aligned.substitutions,
        missed=aligned.deletions,
        added=aligned.insertions,
        late=median(abs(word["start"] - found["start"]) for word, found in pairs) if pairs else None,
        turns=len(turns),
        turns_right=_turns_right(turns, words),
    )


def _plain(word: str) -> str:
    return "".join(re.findall(r"[a-z0-9']", word.lower()))


def _turns_right(turns: Sequence[Mapping[str, Any]], words: Sequence[Mapping[str, Any]]) -> int:
    """Trax's names for speakers say nothing, so each voice is taken for the speaker with whom most turns are right; no two for the same."""
    found = Counter((turn["speaker"], _speaker_of(turn, words)) for turn in turns)
    voices = sorted({voice for voice, _ in found})
    speakers = [*{speaker for _, speaker in found if speaker is not None}, *[None] * len(voices)]
    pairings = (zip(voices, chosen, strict=True) for chosen in permutations(speakers, len(voices)))
    return max(sum(found[voice, speaker] for voice, speaker in pairing if speaker is not None) for pairing in pairings)


def _speaker_of(turn: Mapping[str, Any], words: Sequence[Mapping[str, Any]]) -> str | None:
    """Who spoke most of the words heard in a turn; None where none were, or nobody is known to have."""
    inside = [word.get("speaker") for word in words if turn["start"] <= (word["start"] + word["end"]) / 2 <= turn["end"]]
    return Counter(inside).most_common(1)[0][0] if inside else None
