"""What a run of `diarization.py` found, as tables and as the section of `docs/accuracy.md`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from machine import Machine
from scoring import DiarizationErrors

from trax.diarize.voices import METHODS, Method
from trax.transcript import DOUBTFUL_TURN, Turn

COLLAR_S = 0.25
#: The goals are of conversations of up to so many speakers.
UP_TO = 6

_FIGURES = ("DER", "missed", "false alarm", "confusion", "floor", "DER, collar", "confusion, collar")
_COLUMNS = ("bed", "recordings", "minutes", "count right", *_FIGURES)
_HEADING = (f"| {' | '.join(_COLUMNS)} |", f"|---|{'---:|' * (len(_COLUMNS) - 1)}")

_RULES = f"""\
### Rules

**Beds.** *AMI*: six extracts of meetings, 30 s each, the mix of the headsets; the reference is of words. *LibriSpeechMix*: 24 recordings in
which one utterance begins before the other has ended; the reference is of whole utterances, pauses and all. *Conversations* are joined
from `speakers/` of the people whom no training hears (`training/embedding/split.py`) and who say at least 8 s: their utterances are cut at
pauses into pieces of 2 s or more, which take turns with 0 to 1.5 s between them. *interjections*: after three turns in ten somebody else
says 0.4 to 1 s, half of the time over the turn. *noise*: the same, in noise or tones 10 to 20 dB below the speech, another in each.
References are trimmed to speech by the rule of the section on conversations below.

**Figures.** DER is pyannote.metrics', overlap scored; *missed*, *false alarm* and *confusion* are its parts, without a collar; *collar*
leaves out {COLLAR_S:g} s on either side of each boundary of the reference. *Count right*: recordings in which the number of speakers is
right, which nobody told. *Floor*: what overlap alone costs whoever names one speaker at a time, as the built-in models do.

**What was tuned on what.** The threshold, which windows found speakers, how few windows join a voice, the floor of the noise and what a
change costs: on conversations like these of the other 191 people. AMI was looked at throughout; of what it prefers only the pause that
belongs to a turn (0.5 s) was taken from it. LibriSpeechMix was looked at and decided nothing.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What one recording scored; `turns` with the seconds of each that belong to somebody else."""

    name: str
    speakers: int
    count_error: int
    sharp: DiarizationErrors
    collared: DiarizationErrors
    turns: tuple[tuple[Turn, float], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one method made of some recordings."""

    results: tuple[Result, ...]

    @property
    def sharp(self) -> DiarizationErrors:
        """Without a collar."""
        return sum((result.sharp for result in self.results), DiarizationErrors())

    @property
    def collared(self) -> DiarizationErrors:
        """With `COLLAR_S`."""
        return sum((result.collared for result in self.results), DiarizationErrors())

    @property
    def counted(self) -> int:
        """Recordings in which the number of speakers is right."""
        return sum(not result.count_error for result in self.results)


@dataclass(frozen=True, slots=True)
class Bed:
    """Some recordings of one kind, and the outcome by method.

    In seconds: of them, of what voice activity missed, of `speech` (one or more speaking), and of overlap.
    """

    name: str
    seconds: float
    missed: float
    speech: float
    overlapped: float
    outcomes: Mapping[Method, Outcome]


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f}"


def _row(name: str, found: Sequence[Bed], method: Method) -> str:
    outcome = Outcome(tuple(result for bed in found for result in bed.outcomes[method].results))
    sharp, collared = outcome.sharp, outcome.collared
    floor = sum(bed.overlapped for bed in found) / sharp.speech
    rates = (sharp.rate, sharp.missed_rate, sharp.false_alarm_rate, sharp.confusion_rate, floor, collared.rate, collared.confusion_rate)
    count, minutes = len(outcome.results), sum(bed.seconds for bed in found) / 60
    return f"| {name} | {count} | {minutes:.1f} | {outcome.counted} | {' | '.join(map(_percent, rates))} |"


def tables(found: Sequence[Bed]) -> str:
    """Markdown: every bed by the default method, and all beds of a kind by each method; percent but for the counts."""
    joined = found[2:]
    groups = {
        found[0].name: found[:1],
        found[1].name: found[1:2],
        f"conversations, up to {UP_TO} speakers": [bed for bed in joined if _speakers(bed) <= UP_TO],
        f"conversations, more than {UP_TO}": [bed for bed in joined if _speakers(bed) > UP_TO],
    }
    default = [*_HEADING, *(_row(bed.name, [bed], METHODS[0]) for bed in found)]
    methods = [*_HEADING, *(_row(f"{name}, {method}", beds, method) for name, beds in groups.items() for method in METHODS)]
    return "\n".join([*default, "", "By method:", "", *methods, "", doubt(found), "", voice_activity(found)])


def _speakers(bed: Bed) -> int:
    return bed.outcomes[METHODS[0]].results[0].speakers


def doubt(found: Sequence[Bed]) -> str:
    """How much of what is wrong the doubtful turns hold."""
    turns = [pair for bed in found for result in bed.outcomes[METHODS[0]].results for pair in result.turns]
    talk, wrong = sum(turn.end - turn.start for turn, _ in turns), sum(seconds for _, seconds in turns)
    doubtful = sum(turn.end - turn.start for turn, _ in turns if turn.is_doubtful)
    held = sum(seconds for turn, seconds in turns if turn.is_doubtful)
    return (
        f"Turns marked as doubtful (confidence below {DOUBTFUL_TURN:g}) are {_percent(doubtful / max(talk, 1e-9))} % of the talk "
        f"and hold {_percent(held / max(wrong, 1e-9))} % of what is given to the wrong speaker."
    )


def voice_activity(found: Sequence[Bed]) -> str:
    """What voice activity misses of the speech, on the first two beds and on the others together."""
    rows = [(found[0].name, found[:1]), (found[1].name, found[1:2]), ("the conversations", found[2:])]
    parts = [f"{_percent(sum(bed.missed for bed in beds) / sum(bed.speech for bed in beds))} % on {name}" for name, beds in rows]
    return f"Of the time in which somebody speaks, voice activity alone misses {', '.join(parts)}."


def section(found: Sequence[Bed], *, model: str, machine: Machine, command: str, date: str) -> str:
    """The section of the page."""
    return f"""## Who spoke when

Made by `{command}` on {date}; do not edit by hand.

- machine: {machine}
- sound: {sum(bed.seconds for bed in found) / 60:.0f} minutes
- model: {model}; voice activity, clustering and smoothing with the default settings

All rates in percent.

{tables(found)}

{_RULES}"""
