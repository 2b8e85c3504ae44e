#!/usr/bin/env python3
"""Make the two synthetic conversations again: the digits of demo/, and the open speech that tests and benchmarks hear, tests/speech/.

Needs the Debian packages `flite` (the voices), `sox` and `libsox-fmt-base` (which encodes Vorbis); Python's own library does the rest.
The sound is the same on every run; the files differ only in the serial number that Vorbis draws.
"""

from __future__ import annotations

import array
import json
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeAlias

REPOSITORY = Path(__file__).resolve().parents[1]
RATE = 16_000
CLOSING_SILENCE = 0.5
VOICES = {"Roger": "rms", "Susan": "slt"}
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
#: Seconds between the digits of a number, and between turns.
GAPS, PAUSES = (0.05, 0.25), (0.5, 1.0)

Samples: TypeAlias = "array.array[int]"


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is synthesised in one piece, after so many seconds of silence."""

    silence: float
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says before the other does."""

    speaker: str
    phrases: tuple[Phrase, ...]


OPEN_SPEECH = tuple(
    Turn(speaker, (Phrase(silence, text),))
    for speaker, silence, text in (
        ("Roger", 0.5, "Good morning. How was your weekend?"),
        ("Susan", 0.6, "It was very good. We went to the mountains with the children."),
        ("Roger", 0.5, "How was the weather there? We had rain all day."),
        ("Susan", 0.7, "The sun came out on Sunday, and we stayed by the river for two hours."),
        ("Roger", 0.8, "That sounds good. I spent the weekend working on the report for the meeting."),
        ("Susan", 0.4, "I can help you with the report this afternoon."),
        ("Roger", 0.6, "That would be great. Let us meet in my office at two o'clock."),
        ("Susan", 0.5, "Thank you. I will bring the numbers and some coffee."),
    )
)
#: References as people read them to one another.
NUMBERS = ("4071", "9538", "853062", "2694", "26174", "9265380", "5917", "7348")


def read_out(numbers: tuple[str, ...]) -> Iterator[Turn]:
    """Numbers read in turns, each digit a word by itself."""
    draw = Random(1)
    for turn, number in enumerate(numbers):
        silences = [draw.uniform(*PAUSES), *(draw.uniform(*GAPS) for _ in number[1:])]
        phrases = (Phrase(silence, DIGITS[int(digit)]) for silence, digit in zip(silences, number, strict=True))
        yield Turn(tuple(VOICES)[turn % 2], tuple(phrases))


def speak(voice: str, text: str, folder: Path) -> Samples:
    """The text in a voice of flite: 16-bit samples at 16 kHz, without the silence at its ends, peak at -3 dB."""
    raw, trimmed = folder / "raw.wav", folder / "trimmed.wav"
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", raw], check=True)
    trim = ["silence", "1", "0.02", "0.1%", "reverse"]
    subprocess.run(["sox", "-D", raw, "-r", str(RATE), "-c", "1", "-b", "16", trimmed, "gain", "-n", "-3", *trim, *trim], check=True)
    with wave.open(str(trimmed)) as sound:
        return array.array("h", sound.readframes(sound.getnframes()))


def silence(seconds: float) -> Samples:
    """So many seconds of nothing."""
    return array.array("h", bytes(2 * round(seconds * RATE)))


def make(turns: tuple[Turn, ...], target: Path) -> None:
    """Write the conversation, and beside it what is said and when (JSON); of turns that are several phrases each phrase's times too."""
    sound, said = array.array("h"), []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for turn in turns:
            phrases = []
            for phrase in turn.phrases:
                sound.extend(silence(phrase.silence))
                start = len(sound) / RATE
                sound.extend(speak(VOICES[turn.speaker], phrase.text, folder))
                phrases.append({"start": round(start, 3), "end": round(len(sound) / RATE, 3), "text": phrase.text})
            text = " ".join(phrase.text for phrase in turn.phrases)
            entry = {"speaker": turn.speaker, "start": phrases[0]["start"], "end": phrases[-1]["end"], "text": text}
            said.append(entry | ({"words": phrases} if len(phrases) > 1 else {}))
        sound.extend(silence(CLOSING_SILENCE))
        whole = folder / "whole.wav"
        with wave.open(str(whole), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(sound.tobytes())
        subprocess.run(["sox", "-D", whole, "-C", "4", target], check=True)
    answer = {"duration": round(len(sound) / RATE, 3), "voices": VOICES, "turns": said}
    target.with_suffix(".json").write_text(json.dumps(answer, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Write both."""
    make(tuple(read_out(NUMBERS)), REPOSITORY / "demo" / "digits.ogg")
    make(OPEN_SPEECH, REPOSITORY / "tests" / "speech" / "conversation.ogg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
