"""What an accuracy run found, as a table and as the section of `docs/accuracy.md`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from machine import Machine
from pauses import LONGEST_GAP_S
from scoring import DiarizationErrors, WordErrors

COLLAR_S = 0.25

_HEADING = (
    "| conversation | speakers: there → found | words | WER | cpWER | DER | missed | false alarm | confusion | DER, collar 0.25 s |",
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
)

_RULES = f"""\
### Rules

**Conversations.** Utterances of 2, 3 or 4 of 6 speakers of LibriSpeech test-other and train-clean-100 (CC-BY-4.0), joined with 0.3 to 1.2 s
of digital silence between them, in rounds in which everyone speaks once; nobody talks over anybody. This is read speech without overlap:
expect worse from a meeting. The seed is fixed, so every run has the same bytes. `python benchmarks/conversations.py FOLDER` writes them
with their references as RTTM, STM, SegLST and JSON.

**Speech of the reference.** The words of an utterance are exact, but between them it pauses. Its turns are trimmed to speech by level
alone, by a rule that shares nothing with the voice activity detector of Trax: after pre-emphasis (0.97), a frame of 30 ms is speech when it
is louder than both the utterance's 95th percentile less 30 dB and its 5th percentile plus 6 dB; stretches under 60 ms do not count; pauses
of up to {LONGEST_GAP_S:g} s within an utterance count as speech, longer ones and the silence at its ends do not. Two such rules never agree
fully: part of *missed* and *false alarm* is their disagreement. *Confusion* is hardly touched by it.

**WER.** Lower case, punctuation removed, apostrophes inside words kept, hyphens a space, `mr`, `mrs`, `dr` and `st` in full; numbers are
not spelled out. All words in order of time, whoever said them. The last row counts errors over all words.

**cpWER.** Each speaker's words joined, speakers paired so that the fewest errors remain; words without a speaker count as one speaker's
more.

**DER.** pyannote.metrics, overlap scored; missed, false alarm and confusion are parts of the speech of the reference, with collar 0. The
last column leaves out {COLLAR_S:g} s on either side of each boundary of the reference.
"""


@dataclass(frozen=True, slots=True)
class Score:
    """What one conversation scored. `sharp` is without a collar, `collared` with COLLAR_S; `missing`: outputs not there or not whole."""

    name: str
    speakers: int
    count_error: int
    words: WordErrors
    cp_words: WordErrors
    sharp: DiarizationErrors
    collared: DiarizationErrors
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One run over all conversations: what was scored, by which models (role → name); `took` and `audio` in seconds."""

    scores: tuple[Score, ...]
    models: Mapping[str, str]
    took: float
    audio: float


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f}"


def _row(name: str, speakers: str, scores: Sequence[Score]) -> str:
    words = sum((each.words for each in scores), WordErrors())
    cp_words = sum((each.cp_words for each in scores), WordErrors())
    sharp = sum((each.sharp for each in scores), DiarizationErrors())
    collared = sum((each.collared for each in scores), DiarizationErrors())
    rates = (words.rate, cp_words.rate, sharp.rate, sharp.missed_rate, sharp.false_alarm_rate, sharp.confusion_rate, collared.rate)
    return f"| {' | '.join([name, speakers, str(words.words), *map(_percent, rates)])} |"


def table(scores: Sequence[Score]) -> str:
    """Markdown: a row for each conversation and one for all; percent but for the counts."""
    rows = [_row(each.name, f"{each.speakers} → {each.speakers + each.count_error}", [each]) for each in scores]
    right = sum(not each.count_error for each in scores)
    return "\n".join([*_HEADING, *rows, _row("**all**", f"{right} of {len(scores)} right", scores)])


def section(run: Run, *, machine: Machine, command: str, date: str) -> str:
    """The section of the page."""
    models = "\n".join(f"- {role}: {name}" for role, name in sorted(run.models.items()))
    return f"""## Conversations

Made by `{command}` on {date}; do not edit by hand.

- machine: {machine}
- sound: {len(run.scores)} conversations, {run.audio / 60:.1f} minutes, through the inbox of a running daemon with its default settings
- time: {run.took:.0f} s from the drop to the last answer, all dropped at once (speed {run.audio / run.took:.1f} ×)
{models}

All rates in percent.

{table(run.scores)}

{_RULES}"""
