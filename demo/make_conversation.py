#!/usr/bin/env python3
"""Make conversation.ogg and conversation.json again: two synthetic voices talking in turns.

Needs the Debian packages `flite` (the voices), `sox` and `libsox-fmt-base` (which encodes Vorbis); Python's own library does the rest.
The sound is the same on every run; the file differs only in the serial number that Vorbis draws.
"""

from __future__ import annotations

import array
import json
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

HERE = Path(__file__).resolve().parent
RATE = 16_000
VOICES = {"Roger": "rms", "Susan": "slt"}
#: (speaker, seconds of silence before, words)
TURNS = [
    ("Roger", 0.5, "Good morning. How was your weekend?"),
    ("Susan", 0.6, "It was very good. We went to the mountains with the children."),
    ("Roger", 0.5, "How was the weather there? We had rain all day."),
    ("Susan", 0.7, "The sun came out on Sunday, and we stayed by the river for two hours."),
    ("Roger", 0.8, "That sounds good. I spent the weekend working on the report for the meeting."),
    ("Susan", 0.4, "I can help you with the report this afternoon."),
    ("Roger", 0.6, "That would be great. Let us meet in my office at two o'clock."),
    ("Susan", 0.5, "Thank you. I will bring the numbers and some coffee."),
]
CLOSING_SILENCE = 0.5


def speak(voice: str, text: str, folder: Path) -> array.array[int]:
    """The text in a voice of flite: 16-bit samples at 16 kHz, without the silence at its ends, peak at -3 dB."""
    raw, trimmed = folder / "raw.wav", folder / "trimmed.wav"
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", raw], check=True)
    trim = ["silence", "1", "0.02", "0.1%", "reverse"]
    subprocess.run(["sox", "-D", raw, "-r", str(RATE), "-c", "1", "-b", "16", trimmed, "gain", "-n", "-3", *trim, *trim], check=True)
    with wave.open(str(trimmed)) as sound:
        return array.array("h", sound.readframes(sound.getnframes()))


def silence(seconds: float) -> array.array[int]:
    """So many seconds of nothing."""
    return array.array("h", bytes(2 * round(seconds * RATE)))


def main() -> int:
    """Write both files beside this script."""
    sound, turns = array.array("h"), []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for speaker, pause, text in TURNS:
            sound.extend(silence(pause))
            start = len(sound) / RATE
            sound.extend(speak(VOICES[speaker], text, folder))
            turns.append({"speaker": speaker, "start": round(start, 3), "end": round(len(sound) / RATE, 3), "text": text})
        sound.extend(silence(CLOSING_SILENCE))
        whole = folder / "whole.wav"
        with wave.open(str(whole), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(sound.tobytes())
        subprocess.run(["sox", "-D", whole, "-C", "4", HERE / "conversation.ogg"], check=True)
    answer = {"duration": round(len(sound) / RATE, 3), "voices": VOICES, "turns": turns}
    (HERE / "conversation.json").write_text(json.dumps(answer, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
