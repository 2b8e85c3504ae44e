"""Conversations joined from LibriSpeech utterances, with exact words, times and speakers. The same seed gives the same bytes.

The speakers take turns in rounds, in a new order each round and never twice in a row, 0.3 to 1.2 s of digital silence apart; they do not
talk over each other. `python benchmarks/conversations.py FOLDER` writes them with their references.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, cycle
from pathlib import Path

import numpy as np
from pauses import find_speech
from speech_data import SAMPLE_RATE, Clip, Samples, is_quick, librispeech, open_wav, read_audio, require_data

from trax.transcript import Span, Turn

SEED = 20
MIN_GAP_S, MAX_GAP_S = 0.3, 1.2
#: Number of speakers → utterances of each, so that every conversation lasts one to two minutes.
UTTERANCES_EACH = {2: 5, 3: 4, 4: 3}
CONVERSATIONS_EACH = 3


@dataclass(frozen=True, slots=True)
class Utterance:
    """One utterance where it lies in the conversation, seconds; `speech` is what of it is not pause (see `pauses`)."""

    speaker: str
    start: float
    end: float
    text: str
    speech: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """The reference of one conversation; `duration` in seconds, utterances in order of time."""

    name: str
    duration: float
    utterances: tuple[Utterance, ...]

    @property
    def speakers(self) -> tuple[str, ...]:
        """The speakers, in order of first speech."""
        return tuple(dict.fromkeys(utterance.speaker for utterance in self.utterances))

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Who speaks when, without the pauses."""
        return tuple(Turn(span.start, span.end, utterance.speaker) for utterance in self.utterances for span in utterance.speech)

    @property
    def text(self) -> str:
        """All words, in order of time."""
        return " ".join(utterance.text for utterance in self.utterances)

    @property
    def texts(self) -> dict[str, str]:
        """Each speaker's words, in order of time."""
        return {
            speaker: " ".join(utterance.text for utterance in self.utterances if utterance.speaker == speaker) for speaker in self.speakers
        }


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance to come, after `gap` seconds of silence."""

    clip: Clip
    gap: float


@dataclass(frozen=True, slots=True)
class Script:
    """What a conversation will be joined from."""

    name: str
    lines: tuple[Line, ...]


def _gap(rng: random.Random) -> float:
    return round(MIN_GAP_S + (MAX_GAP_S - MIN_GAP_S) * rng.random(), 3)


def order_of_speakers(speakers: Sequence[str], rounds: int, rng: random.Random) -> tuple[str, ...]:
    """Each speaker once a round, in a new order each round, nobody twice in a row; two speakers or more."""
    order: list[str] = []
    for _ in range(rounds):
        coming = list(speakers)
        rng.shuffle(coming)
        if order and coming[0] == order[-1]:
            coming.append(coming.pop(0))
        order += coming
    return tuple(order)


def write_script(name: str, clips: Sequence[Clip], speakers: Sequence[str], each: int, rng: random.Random) -> Script:
    """A conversation of `speakers`, `each` utterances of every one, none used twice. Raises ValueError when a speaker has too few."""
    coming = {speaker: iter(rng.sample([clip for clip in clips if clip.speaker == speaker], each)) for speaker in speakers}
    return Script(name, tuple(Line(next(coming[speaker]), _gap(rng)) for speaker in order_of_speakers(speakers, each, rng)))


def scripts(clips: Sequence[Clip], *, quick: bool = False, seed: int = SEED) -> tuple[Script, ...]:
    """Three conversations each of 2, 3 and 4 speakers, no two of the same speakers; `quick`: the first of each three."""
    rng = random.Random(seed)
    everyone = sorted({clip.speaker for clip in clips})
    written = []
    for count, each in UTTERANCES_EACH.items():
        groups = list(combinations(everyone, count))
        rng.shuffle(groups)
        for number, group in enumerate(groups[:CONVERSATIONS_EACH], start=1):
            script = write_script(f"{count}-speakers-{number}", clips, group, each, rng)
            if number == 1 or not quick:
                written.append(script)
    return tuple(written)


def join(script: Script) -> tuple[Samples, Conversation]:
    """The sound of a conversation, shape (n,), and its reference."""
    pieces: list[Samples] = []
    utterances: list[Utterance] = []
    position = 0
    for line in script.lines:
        silence = np.zeros(round(line.gap * SAMPLE_RATE), np.int16)
        samples = read_audio(line.clip.path)
        begin = position + len(silence)
        position = begin + len(samples)
        pieces += [silence, samples]
        start = begin / SAMPLE_RATE
        speech = tuple(Span(start + span.start, start + span.end) for span in find_speech(samples))
        utterances.append(Utterance(line.clip.speaker, start, position / SAMPLE_RATE, line.clip.text, speech))
    pieces.append(np.zeros(round(MIN_GAP_S * SAMPLE_RATE), np.int16))
    sound = np.concatenate(pieces)
    return sound, Conversation(script.name, len(sound) / SAMPLE_RATE, tuple(utterances))


def to_rttm(conversation: Conversation) -> str:
    """The turns (without pauses) as NIST RTTM."""
    return "".join(
        f"SPEAKER {conversation.name} 1 {turn.start:.3f} {turn.end - turn.start:.3f} <NA> <NA> {turn.speaker} <NA> <NA>\n"
        for turn in conversation.turns
    )


def to_stm(conversation: Conversation) -> str:
    """The utterances as NIST STM."""
    return "".join(
        f"{conversation.name} 1 {said.speaker} {said.start:.3f} {said.end:.3f} {said.text}\n" for said in conversation.utterances
    )


def to_seglst(conversation: Conversation) -> str:
    """The utterances as SegLST JSON (CHiME, MeetEval)."""
    return _json(
        [
            {
                "session_id": conversation.name,
                "speaker": said.speaker,
                "start_time": round(said.start, 3),
                "end_time": round(said.end, 3),
                "words": said.text,
            }
            for said in conversation.utterances
        ]
    )


def to_json(conversation: Conversation) -> str:
    """Everything that is known of a conversation."""
    return _json(
        {
            "name": conversation.name,
            "duration": conversation.duration,
            "speakers": conversation.speakers,
            "utterances": [
                {
                    "speaker": said.speaker,
                    "start": round(said.start, 3),
                    "end": round(said.end, 3),
                    "text": said.text,
                    "speech": [[round(span.start, 3), round(span.end, 3)] for span in said.speech],
                }
                for said in conversation.utterances
            ],
        }
    )


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def write(script: Script, folder: Path) -> Conversation:
    """Write `<name>.wav` and beside it the reference as RTTM, STM, SegLST and JSON; returns the reference."""
    sound, conversation = join(script)
    with open_wav(folder / f"{script.name}.wav") as wav:
        wav.writeframes(sound.tobytes())
    write_references(conversation, folder)
    return conversation


def write_references(conversation: Conversation, folder: Path) -> None:
    """Write the reference as `<name>.rttm`, `.stm`, `.seglst.json` and `.json`."""
    for ending, text in (
        ("rttm", to_rttm(conversation)),
        ("stm", to_stm(conversation)),
        ("seglst.json", to_seglst(conversation)),
        ("json", to_json(conversation)),
    ):
        (folder / f"{conversation.name}.{ending}").write_text(text, encoding="utf-8")


def endless_lines(clips: Sequence[Clip], seed: int = SEED) -> Iterator[Line]:
    """Chapters by their most-recorded reader, in the order of the book, every fourth utterance another speaker's; then from the start."""
    rng = random.Random(seed)
    counts = {clip.speaker: 0 for clip in clips}
    for clip in clips:
        counts[clip.speaker] += 1
    reader = max(counts, key=lambda speaker: counts[speaker])
    others = [clip for clip in clips if clip.speaker != reader]
    rng.shuffle(others)
    coming = cycle(others)
    for number, clip in enumerate(cycle([clip for clip in clips if clip.speaker == reader]), start=1):
        yield Line(clip, _gap(rng))
        if number % 3 == 0:
            yield Line(next(coming), _gap(rng))


def long_recording(path: Path, minutes: float, clips: Sequence[Clip]) -> None:
    """Write a WAV of exactly `minutes`, a piece at a time: a shorter one is the beginning of a longer one."""
    left = round(minutes * 60 * SAMPLE_RATE)
    with open_wav(path) as wav:
        for line in endless_lines(clips):
            piece = np.concatenate([np.zeros(round(line.gap * SAMPLE_RATE), np.int16), read_audio(line.clip.path)])[:left]
            wav.writeframesraw(piece.tobytes())
            left -= len(piece)
            if not left:
                return


def write_all(folder: Path, wanted: Iterable[Script]) -> tuple[Conversation, ...]:
    """Write every conversation into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(write(script, folder) for script in wanted)


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and one folder
        raise SystemExit("usage: conversations.py FOLDER")
    for made in write_all(Path(sys.argv[1]), scripts(librispeech(require_data()), quick=is_quick())):
        print(f"{made.name}.wav {made.duration:.1f} s, {len(made.speakers)} speakers, {len(made.text.split())} words")
