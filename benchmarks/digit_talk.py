"""Words and speakers together, where the words are easy: joined conversations of spoken digits through the whole appliance.

Both digits models hear them (clips that no training heard, of speakers whom it knew), the lanes of the running daemon put words and turns
together. What cpWER counts beyond WER is what was given to the wrong speaker. `--write PAGE` also writes its section of the page.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from accuracy import measure
from accuracy_page import Score, table
from appliance import ApplianceError
from conversations import Conversation, Utterance, order_of_speakers, write_references
from goals import report, report_failure
from machine import this_machine
from page_sections import command_of_this_run, today, write_section
from pauses import find_speech
from scoring import WordErrors
from speech_data import REPOSITORY, SAMPLE_RATE, Samples, is_quick, open_wav, require_data

sys.path.insert(0, str(REPOSITORY))

import random

from training.digits.clips import LEFT_OUT, Clip, fsdd
from training.digits.vocabulary import DIGITS
from trax.transcript import Span

_SETTINGS = {"asr": {"fast_model": "digits-fast", "refine_model": "digits"}, "stages": {"refine": True}}
_SEED = 31
_COUNTS = (2, 3, 4, 5)
_EACH, _QUICK_EACH = 3, 1
_ROUNDS = 5
_DIGITS = (5, 10)  # in an utterance
_BETWEEN_DIGITS_S = (0.0, 0.15)
_GAPS_S = (0.4, 1.2)
_VOLUME, _NOISE = 0.5, 3e-4  # of full scale: no room is quite silent


def conversations(data: Path, each: int) -> Iterator[tuple[Samples, Conversation]]:
    """So many conversations of each number of speakers; the same each time."""
    draw = np.random.default_rng(_SEED)
    clips = [clip for clip in fsdd(data, unseen=True) if clip.speaker != LEFT_OUT]
    everyone = sorted({clip.speaker for clip in clips})
    for count in _COUNTS:
        for number in range(1, each + 1):
            cast = [everyone[index] for index in sorted(draw.choice(len(everyone), count, replace=False))]
            yield _talk(f"digits-{count}-speakers-{number}", [clip for clip in clips if clip.speaker in cast], cast, draw)


def _talk(name: str, clips: Sequence[Clip], cast: Sequence[str], draw: np.random.Generator) -> tuple[Samples, Conversation]:
    said, sounds, at = list[Utterance](), list[Samples](), 0
    for speaker in order_of_speakers(cast, _ROUNDS, random.Random(int(draw.integers(1 << 31)))):
        gap = np.zeros(round(draw.uniform(*_GAPS_S) * SAMPLE_RATE), np.int16)
        sound, text = _utterance([clip for clip in clips if clip.speaker == speaker], draw)
        start = (at + len(gap)) / SAMPLE_RATE
        at += len(gap) + len(sound)
        speech = tuple(Span(start + span.start, start + span.end) for span in find_speech(sound))
        said.append(Utterance(speaker, start, at / SAMPLE_RATE, text, speech))
        sounds += [gap, sound]
    whole = np.concatenate([*sounds, np.zeros(SAMPLE_RATE, np.int16)])
    noisy = np.round(whole + draw.normal(0, _NOISE * np.iinfo(np.int16).max, len(whole))).astype(np.int16)
    return noisy, Conversation(name, len(noisy) / SAMPLE_RATE, tuple(said))


def _utterance(clips: Sequence[Clip], draw: np.random.Generator) -> tuple[Samples, str]:
    chosen = [clips[int(index)] for index in draw.integers(len(clips), size=draw.integers(*_DIGITS))]
    pieces = [np.append(clip.samples, np.zeros(int(draw.uniform(*_BETWEEN_DIGITS_S) * SAMPLE_RATE))) for clip in chosen]
    sound = np.concatenate(pieces) * _VOLUME * np.iinfo(np.int16).max
    return sound.astype(np.int16), " ".join(DIGITS[clip.digit] for clip in chosen)


def write_all(folder: Path, made: Iterator[tuple[Samples, Conversation]]) -> tuple[Conversation, ...]:
    """Write every conversation into `folder`, with its references."""
    folder.mkdir(parents=True)
    references = list[Conversation]()
    for sound, conversation in made:
        with open_wav(folder / f"{conversation.name}.wav") as wav:
            wav.writeframes(sound.tobytes())
        write_references(conversation, folder)
        references.append(conversation)
    return tuple(references)


def goal_values(scores: Sequence[Score]) -> dict[str, float]:
    """The values of the goals of this command."""
    words = sum((score.words for score in scores), WordErrors())
    cp_words = sum((score.cp_words for score in scores), WordErrors())
    return {"digits_cpwer": 100 * cp_words.rate, "digits_given_to_others": 100 * (cp_words.errors - words.errors) / words.words}


def section(scores: Sequence[Score], *, command: str, date: str) -> str:
    """The section of the page."""
    values = goal_values(scores)
    return f"""## Digits, and who said them

Made by `{command}` on {date}, on the machine of the other sections; do not edit by hand.

Conversations of 2 to 5 of the five speakers whom the digits models know, clips that no training heard, in utterances
of {_DIGITS[0]} to {_DIGITS[1] - 1} digits with {_GAPS_S[0]} to {_GAPS_S[1]} s between them, through the inbox of a running
daemon with both models. cpWER is {values["digits_cpwer"]:.2f} %: {values["digits_given_to_others"]:.2f} points of that are words given to
the wrong speaker, the rest words that were heard wrong. Columns and rules as for the conversations below.

{table(scores)}
"""


def main() -> int:
    """Run, print the table and the goals, write the section if asked; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the section into this page, such as docs/accuracy.md")
    arguments = parser.parse_args()
    data = require_data()
    with tempfile.TemporaryDirectory(prefix="trax-digit-talk-") as temporary:
        sounds = Path(temporary) / "sounds"
        references = write_all(sounds, conversations(data, _QUICK_EACH if is_quick() else _EACH))
        try:
            run = measure(references, sounds, Path(temporary) / "root", _SETTINGS)
        except ApplianceError as error:
            return report_failure("digit_talk", str(error))
    print(f"machine: {this_machine()}\n\n{table(run.scores)}\n")
    if arguments.write is not None:
        command = command_of_this_run()
        write_section(arguments.write, "digit talk", section(run.scores, command=command, date=today()))
    return report("digit_talk", goal_values(run.scores))


if __name__ == "__main__":
    raise SystemExit(main())
