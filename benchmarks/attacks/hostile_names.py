"""Names that a hostile or clumsy person may give to files and folders. Pure."""

from __future__ import annotations

import os
import random

from trax.intake.names import is_ignored

#: Bytes of a name on Linux file systems.
_LONGEST = 255
#: What moves cursors, turns the writing round, hides, splits lines, is no UTF-8, or means something to a shell, a format or a web page.
_PIECES = (
    *(bytes([code]) for code in range(1, 32)),
    *(
        text.encode()
        for text in "\x7f\x80\x85\x9b\u00a0\u00ad\u061c\u115f\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202d\u202e"
    ),
    *(text.encode() for text in "\u2060\u2066\u2067\u2069\u3000\ufe0f\ufeff\ufff9\uffff\U000e0001\U000e0041\ue000\U0010ffff"),
    *(text.encode("utf-8", "surrogatepass") for text in ("\ud800", "\udfff")),
    *(b"\xff", b"\xc3", b"\xe2\x80", b"\xf8\x88\x80\x80\x80", b"\xc0\xae\xc0\xae", b"caf\xe9"),
    *(b"\x1b[31m", b"\x1b]0;owned\x07", b"\x1b[2J", b"\r\n<3>forged line", b"%0A", b"\\x1b", b"\\", b'"', b"'", b"`id`", b"$(id)", b";id;"),
    *(b"*", b"?", b"|", b"<", b">", b":", b"&", b"{0}", b"{extra[job]}", b"%s", b"[bold red]", b"<script>", b"-->", b"[/]", b"  ", b"\t"),
)
_WHOLE = (
    *(
        b"-rf",
        b"--help",
        b"-",
        b"--",
        b" ",
        b"  .wav  ",
        b"...",
        b"a..",
        b"a..b",
        b"\\..\\..\\x",
        b"%2e%2e%2f",
        b"con",
        b"NUL",
        b"aux.wav",
        b"com1",
    ),
    *(
        b"talk",
        b"TALK",
        b"Talk",
        b"talk.",
        b"talk ",
        b"talk (2)",
        b"talk.error",
        b"talk.ERROR",
        b"talk.error.json",
        b"talk.json",
        b"talk.srt",
    ),
    *(
        "stra\u00dfe",
        "STRASSE",
        "\u00e9",
        "e\u0301",
        "\ufb01",
        "fi",
        "\u212b",
        "\u00c5",
        "\u0130",
        "i\u0307",
        "\u0440\u0430\u0443",
        "\u0627\u0644",
    ),
    *(
        b"con.json",
        b"output",
        b"job.json",
        b"source",
        b"ledger",
        b"x" * 251,
        b"x" * 250 + b"y",
        b"\xc3\xa9" * 125,
        b"\xff" * 251,
        b"\n" * 251,
    ),
)
_FOLDERS = (
    b"talk.json",
    b"talk.error.json",
    b"--folder",
    b"..x",
    b"two\nlines",
    b"\x1b[31m",
    b"\xff\xfe",
    b"x" * 255,
    b"...",
    b"\xe2\x80\xae",
    b" ",
)


def hostile_names(count: int, seed: int) -> tuple[str, ...]:
    """`count` different paths below an inbox, as Python's `os` gives them, all of which Trax has to answer."""
    randomness = random.Random(seed)
    found: dict[bytes, None] = {}
    for stem in _WHOLE:
        _add(found, (stem.encode() if isinstance(stem, str) else stem) + b".wav")
    for folder in _FOLDERS:
        for inner in (b"talk.wav", b"\x1b[31m\xff.wav", b"x" * 251 + b".wav"):
            _add(found, folder + b"/" + inner)
    _add(found, b"/".join([b"d" * 255] * 20) + b"/deep.wav")
    for piece in _PIECES:
        _add(found, b"a" + piece + b"b.wav")
        _add(found, piece + b".wav")
        _add(found, b"talk.w" + piece)
    while len(found) < count:
        stem = b"".join(randomness.choice(_PIECES) for _ in range(randomness.randint(1, 60)))
        _add(found, stem[: _LONGEST - 4] + b".wav")
    names = sorted(found) if count >= len(found) else sorted(randomness.sample([*found], count))
    return tuple(os.fsdecode(name) for name in names)


def _add(found: dict[bytes, None], name: bytes) -> None:
    if not any(is_ignored(os.fsdecode(part)) or part == b"" or len(part) > _LONGEST for part in name.split(b"/")):
        found[name] = None
