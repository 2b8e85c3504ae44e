"""Whose every word is: conversations of digits with exact words and times, into which somebody throws a word now and then.

The words are known, so what is measured is how they are given to speakers: by whoever talks for most of a word (`overlap`); the same of the
word with a little time around it (`padded`); whole sentences by whoever says most of them (`majority`); and as Trax does it, the first
with the edges of sentences put right (`realigned`). `make accuracy` hears 12 conversations, QUICK=1 3; `--write PAGE` writes its section.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from goals import report
from machine import Machine, this_machine
from numpy.typing import NDArray
from page_sections import command_of_this_run, today, write_section
from scoring import WordDiarizationErrors, WordErrors, cp_word_errors, word_diarization_errors
from speech_data import REPOSITORY, SAMPLE_RATE, Samples, is_quick, require_data

sys.path.insert(0, str(REPOSITORY))

from training.digits.clips import fsdd
from training.digits.vocabulary import DIGITS
from trax.audio.pcm import Pcm
from trax.audio.silero import Silero
from trax.audio.vad import find_speech
from trax.diarize.embed import Encoder, embed
from trax.diarize.turns import diarize
from trax.models.silero import weights
from trax.models.store import installed
from trax.pipeline.attribution import attribute
from trax.pipeline.tidy import tidy_turns
from trax.pipeline.turn_edges import realign, sentences
from trax.transcript import Turn, Word

_SEED = 8
_CONVERSATIONS, _QUICK_CONVERSATIONS = 12, 3
_TURNS, _SPEAKERS = 24, 3
_WORDS_A_TURN = (4, 10)
_BETWEEN_WORDS, _BETWEEN_TURNS, _AROUND_THROWN_IN = (0.03, 0.15), (0.05, 0.6), (0.05, 0.2)  # seconds
_THROWN_IN = 0.3  # of the turns, a word of somebody else
_NOISE = 3e-4  # of full scale
#: Standard deviations, seconds, of what word times are off and of what the edges of the true turns are moved by.
_WORDS_OFF, _TURNS_OFF = 0.06, 0.2
#: The part of turns whose last word ends a sentence; what is thrown in always does, which is hardest on it.
_FULL_STOPS = 0.8
PADDING = 0.1

Method = Callable[[Sequence[Word], Sequence[Turn]], tuple[Word, ...]]


def padded(words: Sequence[Word], turns: Sequence[Turn]) -> tuple[Word, ...]:
    """The words, each given to whoever talks for most of it and `PADDING` on either side."""
    wider = [replace(word, start=max(word.start - PADDING, 0.0), end=word.end + PADDING) for word in words]
    return tuple(replace(word, speaker=given.speaker) for word, given in zip(words, attribute(wider, turns), strict=True))


def majority(words: Sequence[Word], turns: Sequence[Turn]) -> tuple[Word, ...]:
    """The words, whole sentences given to whoever says more than half of their words, if anybody does."""
    given = list[Word]()
    for sentence in sentences(attribute(words, turns)):
        (speaker, count), *_ = Counter(word.speaker for word in sentence).most_common()
        given += [replace(word, speaker=speaker) for word in sentence] if 2 * count > len(sentence) else sentence
    return tuple(given)


def realigned(words: Sequence[Word], turns: Sequence[Turn]) -> tuple[Word, ...]:
    """What Trax does."""
    return realign(attribute(words, turns))


METHODS: Mapping[str, Method] = {"overlap": attribute, "padded": padded, "majority": majority, "realigned": realigned}
FOUND, TRUE = "found by Trax", "true, with edges off"


@dataclass(frozen=True, slots=True)
class Said:
    """A word with whether it was thrown in."""

    word: Word
    is_thrown_in: bool


@dataclass(frozen=True, slots=True)
class Score:
    """Errors of one method on one kind of turns; `lost` of the `thrown_in` words are given to somebody else."""

    words: WordDiarizationErrors = field(default_factory=WordDiarizationErrors)
    cp: WordErrors = field(default_factory=WordErrors)
    lost: int = 0
    thrown_in: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.words + other.words, self.cp + other.cp, self.lost + other.lost, self.thrown_in + other.thrown_in)


def conversation(data: Path, number: int) -> tuple[Samples, tuple[Said, ...]]:
    """The samples (n,) int16 and the words of a conversation. The same number gives the same bytes."""
    draw = random.Random(_SEED * 1000 + number)
    clips = fsdd(data, unseen=True)
    cast = draw.sample(sorted({clip.speaker for clip in clips}), _SPEAKERS)
    by_speaker = {speaker: [clip for clip in clips if clip.speaker == speaker] for speaker in cast}
    pieces: list[NDArray[np.float32]] = []
    said: list[Said] = []
    position = 0

    def pause(bounds: tuple[float, float]) -> None:
        nonlocal position
        pieces.append(np.zeros(round(draw.uniform(*bounds) * SAMPLE_RATE), np.float32))
        position += len(pieces[-1])

    def say(speaker: str, *, is_last: bool = False, is_thrown_in: bool = False) -> None:
        nonlocal position
        clip = draw.choice(by_speaker[speaker])
        stop = "." if is_thrown_in or (is_last and draw.random() < _FULL_STOPS) else ""
        pieces.append(clip.samples * np.float32(0.5))
        start, position = position, position + len(clip.samples)
        word = Word(DIGITS[clip.digit] + stop, start / SAMPLE_RATE, position / SAMPLE_RATE, 1.0, speaker)
        said.append(Said(word, is_thrown_in))

    speaker = ""
    for _ in range(_TURNS):
        speaker = draw.choice([each for each in cast if each != speaker])
        count = draw.randint(*_WORDS_A_TURN)
        thrown_in = draw.randint(2, count - 2) if draw.random() < _THROWN_IN else None
        pause(_BETWEEN_TURNS)
        for at in range(count):
            if at == thrown_in:
                pause(_AROUND_THROWN_IN)
                say(draw.choice([each for each in cast if each != speaker]), is_thrown_in=True)
                pause(_AROUND_THROWN_IN)
            elif at:
                pause(_BETWEEN_WORDS)
            say(speaker, is_last=at == count - 1)
    pause(_BETWEEN_TURNS)
    sound = np.concatenate(pieces) + np.random.default_rng(number).normal(0, _NOISE, position)
    return (np.clip(sound, -1, 1) * np.iinfo(np.int16).max).astype(np.int16), tuple(said)


def found_turns(samples: Samples, silero: Silero, encode: Encoder, threshold: float) -> tuple[Turn, ...]:
    """What Trax makes of it, told how many speakers there are."""
    with tempfile.NamedTemporaryFile(suffix=".pcm") as file:
        file.write(samples.tobytes())
        file.flush()
        with Pcm(Path(file.name)) as pcm:
            speech = find_speech(pcm, silero, lambda _: None)
            embeddings = embed(pcm, speech, encode, lambda _: None, lambda: False)
    found = diarize(embeddings, speech, min_speakers=_SPEAKERS, max_speakers=_SPEAKERS, threshold=threshold)
    return tidy_turns(found.turns, len(samples) / SAMPLE_RATE)


def true_turns(said: Sequence[Said], draw: random.Random) -> tuple[Turn, ...]:
    """One turn for each run of a speaker's words, every edge moved a little."""
    runs: list[list[Word]] = []
    for each in said:
        if runs and runs[-1][-1].speaker == each.word.speaker:
            runs[-1].append(each.word)
        else:
            runs.append([each.word])
    edges = [(run[0].start + draw.gauss(0, _TURNS_OFF), run[-1].end + draw.gauss(0, _TURNS_OFF)) for run in runs]
    moved = (Turn(max(start, 0.0), max(end, start + 0.05), str(run[0].speaker)) for run, (start, end) in zip(runs, edges, strict=True))
    return tidy_turns(moved, said[-1].word.end + 1)


def as_heard(said: Sequence[Said], draw: random.Random) -> list[Word]:
    """The words with times that are off, in order, each a hundredth of a second at least, and nobody's yet."""
    words, earliest = list[Word](), 0.0
    for each in said:
        start = max(each.word.start + draw.gauss(0, _WORDS_OFF), earliest)
        earliest = max(each.word.end + draw.gauss(0, _WORDS_OFF), start + 0.01)
        words.append(replace(each.word, start=start, end=earliest, speaker=None))
    return words


def score(said: Sequence[Said], given: Sequence[Word]) -> Score:
    """How right the speakers of the words are."""
    reference = [(each.word.text, str(each.word.speaker)) for each in said]
    errors = word_diarization_errors(reference, [(word.text, word.speaker) for word in given])
    pairs = {(each.word.speaker, word.speaker) for each, word in zip(said, given, strict=True)}
    best = {ours: max(pairs, key=lambda pair: (pair[1] == ours, _together(said, given, pair)))[0] for _, ours in pairs}
    thrown_in = [(each.word.speaker, best[word.speaker]) for each, word in zip(said, given, strict=True) if each.is_thrown_in]
    cp = cp_word_errors(_texts((text, who) for text, who in reference), _texts((word.text, word.speaker or "") for word in given))
    return Score(errors, cp, sum(one != other for one, other in thrown_in), len(thrown_in))


def _together(said: Sequence[Said], given: Sequence[Word], pair: tuple[str | None, str | None]) -> int:
    return sum((each.word.speaker, word.speaker) == pair for each, word in zip(said, given, strict=True))


def _texts(words: Iterator[tuple[str, str]]) -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    for text, who in words:
        texts.setdefault(who, []).append(text)
    return {who: " ".join(each) for who, each in texts.items()}


def measure(data: Path, count: int) -> dict[tuple[str, str], Score]:
    """The sums of all conversations, by kind of turns and method."""
    model = next(model for model in installed(REPOSITORY / "models") if model.kind == "embedding")
    silero, encode = Silero(weights()), Encoder(model, 1)
    scores = {(kind, method): Score() for kind in (FOUND, TRUE) for method in METHODS}
    for number in range(count):
        samples, said = conversation(data, number)
        draw = random.Random(number)
        words = as_heard(said, draw)
        turns = {FOUND: found_turns(samples, silero, encode, model.settings["threshold"]), TRUE: true_turns(said, draw)}
        for kind, method in scores:
            scores[kind, method] += score(said, METHODS[method](words, turns[kind]))
    return scores


def table(scores: Mapping[tuple[str, str], Score]) -> str:
    """Markdown."""
    lines = ["| turns | words given by | words | WDER | cpWER | thrown in | of these lost |", "|---|---|---:|---:|---:|---:|---:|"]
    for (kind, method), found in scores.items():
        figures = f"{found.words.words} | {100 * found.words.rate:.2f} | {100 * found.cp.rate:.2f} | {found.thrown_in} | {found.lost}"
        lines.append(f"| {kind} | {method} | {figures} |")
    return "\n".join(lines)


def goal_values(scores: Mapping[tuple[str, str], Score]) -> dict[str, float]:
    """The values of the goals."""
    before, now = scores[TRUE, "overlap"], scores[TRUE, "realigned"]
    worse = (scores[kind, "realigned"].words.rate - scores[kind, "overlap"].words.rate for kind in (FOUND, TRUE))
    return {
        "words_realignment_gain": 100 * (1 - now.words.rate / before.words.rate),
        "words_realignment_loses_thrown_in": 100 * (now.lost - before.lost) / now.thrown_in,
        "words_realignment_worse": 100 * max(worse),
    }


_RULES = f"""\
Conversations of {_SPEAKERS} speakers of the Free Spoken Digit Dataset (CC-BY-SA-4.0; clips that no training heard), {_TURNS} turns of
{_WORDS_A_TURN[0]} to {_WORDS_A_TURN[1]} digits, {_BETWEEN_TURNS[0]} to {_BETWEEN_TURNS[1]} s between turns; into {_THROWN_IN:.0%} of them
somebody else throws one digit. Words and times are known; the times are then moved by a normal deviate of {_WORDS_OFF * 1000:.0f} ms.
Of the turns {_FULL_STOPS:.0%} end with a full stop, and every digit thrown in has one.

**Turns**: those that Trax finds with its built-in models and the number of speakers given, by windows of 1.6 s, which mostly miss a single
word thrown in; and the true ones, in which nobody is missed, their edges moved by a normal deviate of {_TURNS_OFF * 1000:.0f} ms.
**Words given by**: whoever talks for most of the word (overlap); for most of it and {PADDING * 1000:.0f} ms on either side (padded);
whole sentences by whoever says most of their words (majority); overlap, with the edges of sentences put right, which is what Trax does
(realigned). **WDER**: words given to the wrong speaker, in percent (El Shafey, Soltau and Shafran, 2019). **cpWER** in percent: the words
are right, so all of it is speakers. **Lost**: words thrown in that are given to somebody else.
"""


def section(text: str, *, machine: Machine, command: str, date: str, count: int) -> str:
    """The section of the page."""
    made = f"Made by `{command}` on {date}; do not edit by hand."
    return f"## Words and turns\n\n{made}\n\n- machine: {machine}\n- sound: {count} conversations\n\n{text}\n\n### Rules\n\n{_RULES}"


def main() -> int:
    """Measure, print the table and the goals, write the section if asked; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the section into this page, such as docs/accuracy.md")
    asked = parser.parse_args()
    count = _QUICK_CONVERSATIONS if is_quick() else _CONVERSATIONS
    scores = measure(require_data(), count)
    machine, command, text = this_machine(), command_of_this_run(), table(scores)
    print(f"machine: {machine}\n\n{text}\n")
    if asked.write:
        write_section(asked.write, "words and turns", section(text, machine=machine, command=command, date=today(), count=count))
    return report("words_and_turns", goal_values(scores))


if __name__ == "__main__":
    raise SystemExit(main())
