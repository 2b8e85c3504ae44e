"""Our parsers and the decoder on bytes that nobody meant. `scripts/fuzz.py` goes on where this ends."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from attacks.media_files import encoded
from fuzz_targets import TARGETS
from hypothesis import example, given, settings
from hypothesis import strategies as st

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SPOILS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 4), st.binary(max_size=6)), min_size=1, max_size=6)
#: What fuzzing found, by parser.
FOUND = [
    ("seen_log", b"\xff\n"),
    ("archive", b'{"jobs":[{"id":1}]}'),
    ("archive", b"[" * 5000),
    ("manifest", b"[" * 5000),
    ("manifest", b'{"run":"r","name":"n","files":{"talk.json":[]},"former":{}}'),
    ("settings", b"[" * 1500),
    ("snapshot", b"[" * 5000),
]
_FORMATS = (("flac", "flac", ".flac"), ("ogg", "libopus", ".opus"), ("mp4", "aac", ".m4a"), ("matroska", "flac", ".mkv"))


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=300) | ANY_JSON.map(lambda value: json.dumps(value).encode()))
@example(b"")
def test_any_bytes_are_taken_or_refused_in_words(name: str, data: bytes) -> None:
    TARGETS[name][0](data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=30, deadline=None)
@given(spoils=SPOILS)
def test_a_spoilt_input_is_taken_or_refused_in_words(name: str, spoils: list[tuple[float, int, bytes]]) -> None:
    target, seed = TARGETS[name]
    data = bytearray(seed)
    for place, length, replacement in spoils:
        start = int(place * len(data))
        data[start : start + length] = replacement
    target(bytes(data))


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=25, deadline=None)
@given(value=ANY_JSON, randomness=st.randoms(use_true_random=False))
def test_json_with_a_value_of_another_kind_is_taken_or_refused_in_words(name: str, value: object, randomness: random.Random) -> None:
    target, seed = TARGETS[name]
    try:
        document = json.loads(seed)
    except ValueError:
        return  # this one reads no JSON
    document[randomness.choice(list(document))] = value
    target(json.dumps(document).encode())


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_fuzzing_found_is_mended(name: str, data: bytes) -> None:
    TARGETS[name][0](data)


@pytest.mark.parametrize(("container", "codec", "extension"), _FORMATS)
def test_a_spoilt_recording_is_decoded_or_refused_for_good(container: str, codec: str, extension: str, tmp_path: Path) -> None:
    import numpy as np

    randomness = random.Random(extension)
    tone = (np.sin(np.arange(96_000) / 20) * 8000).astype("<i2")
    whole = encoded(container, codec, tone)
    for number in range(2):
        data = bytearray(whole)
        for _ in range(randomness.choice((1, 10, 100))):
            data[randomness.randrange(len(data) >> randomness.choice((0, 3, 6)))] = randomness.randrange(256)
        path = tmp_path / f"{number}{extension}"
        path.write_bytes(data)
        with path.open("rb") as reader, (tmp_path / "pcm").open("wb") as writer:
            argv = [sys.executable, "-I", "-m", "trax.worker.decode", f"--output-fd={writer.fileno()}", f"--extension={extension}"]
            argv += [f"--memory-bytes={512 << 20}", "--cpu-seconds=20", f"--output-bytes={1 << 26}"]
            child = subprocess.run(argv, stdin=reader, capture_output=True, pass_fds=[writer.fileno()], env={}, timeout=60, check=False)
        answer = json.loads(child.stdout.splitlines()[-1])
        assert (child.returncode, answer["event"]) in {(0, "done"), (1, "error")}
        assert answer["event"] == "done" or answer["error"]["permanent"], answer
