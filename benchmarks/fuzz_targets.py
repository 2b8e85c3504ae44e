"""The parsers that read what others made or what a crash may have left: each takes any bytes, and fails only in the way it says.

`TARGETS` serve hypothesis in the tests and atheris in `scripts/fuzz.py`. A target returns for every input; what escapes from it is a fault.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from trax import errors
from trax.audio.complete import is_duration_stated, missing_bytes
from trax.audio.formats import CONTAINERS, has_magic
from trax.errors import ConfigError, ControlError, JobError, LedgerError, ModelError, RecordingError, WorkerError
from trax.intake.names import extension_of, is_ignored, output_name, printable
from trax.jobs.archives import Archives
from trax.jobs.folders import read_job
from trax.jobs.record import from_plain, to_plain
from trax.jobs.seen import Seen
from trax.jobs.storage import pack, unpack
from trax.models.ggml.check import check_whole
from trax.models.ggml.header import parse_header
from trax.models.ggml.safetensors import stored_in
from trax.models.torch_reader import read_state
from trax.pipeline.decoding import DecodeLimits, media_told
from trax.pipeline.publish import read_manifest
from trax.service.control import request_of
from trax.settings_file import load_settings

Target = Callable[[bytes], object]


@cache
def _folder() -> Path:
    """A folder of this process for parsers that read files; in memory where there is a place for it."""
    memory = Path("/dev/shm")
    kept = tempfile.TemporaryDirectory(prefix="trax-fuzz-", dir=memory if os.access(memory, os.W_OK) else None)
    _kept.append(kept)
    return Path(kept.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _file(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


def ggml_header(data: bytes) -> None:
    """The first bytes of a Whisper model."""
    with contextlib.suppress(ModelError):
        parse_header(data)


def ggml_file(data: bytes) -> None:
    """A whole Whisper model."""
    with contextlib.suppress(ModelError):
        check_whole(_file("model.bin", data))


def safetensors_file(data: bytes) -> None:
    """A file of weights from Hugging Face."""
    with contextlib.suppress(ModelError):
        for stored in stored_in(_file("model.safetensors", data)).values():
            stored.load()


def torch_checkpoint(data: bytes) -> None:
    """A PyTorch checkpoint of somebody."""
    with contextlib.suppress(ModelError):
        read_state(data)


def container_length(data: bytes) -> None:
    """How many bytes are missing from a recording."""

    def read(offset: int, count: int) -> bytes:
        assert offset >= 0, "no place before the file"
        assert count >= 0, "no negative length"
        return data[offset : offset + count]

    for container in CONTAINERS:
        has_magic(data[:16], container)
        assert missing_bytes(container, read, len(data)) >= 0
        is_duration_stated(container, read)


def snapshot(data: bytes) -> None:
    """A snapshot of the ledger, as found and as if its digest were right."""
    for tried in (data, pack(1, [data])):
        found = unpack(tried)
        if found is not None:
            json.dumps(found.tables)


def archive(data: bytes) -> None:
    """An archive of finished jobs, as found and as if its digest were right."""
    magic = b"trax-archive-1"
    for tried in (data, b"%s %s\n%s" % (magic, hashlib.sha256(data).hexdigest().encode(), data)):
        path = _file("archive-00000001.json", tried)
        with contextlib.suppress(LedgerError):
            list(Archives(path.parent).newest_first())
        path.unlink()


def seen_log(data: bytes) -> None:
    """The log of what was done before, as found and with checks that are right."""
    checked = b"".join(b"%s %08x\n" % (line, zlib.crc32(line)) for line in data.split(b"\n"))
    for tried in (data, checked):
        Seen(_file("seen.log", tried)).find("0" * 64)


def settings(data: bytes) -> None:
    """A settings file."""
    with contextlib.suppress(ConfigError):
        load_settings(_file("trax.yaml", data), {})


def job_record(data: bytes) -> None:
    """The job.json of a work folder; what can be read can be written again, as it was."""
    _file("job.json", data)
    with contextlib.suppress(JobError):
        job = read_job(_folder())
        assert from_plain(json.loads(json.dumps(to_plain(job)))) == job or job != job  # noqa: PLR0124 - NaN equals nothing


def manifest(data: bytes) -> None:
    """The manifest of what a job put into the outbox."""
    _file("published.json", data)
    found = read_manifest(_folder())
    for path in found.all_hashes:
        found.hashes(path)


def control_request(data: bytes) -> None:
    """A line at the control socket."""
    with contextlib.suppress(ControlError):
        assert isinstance(request_of(data), dict)


def child_answer(data: bytes) -> None:
    """What a decoder says: an error of it, or of its result."""
    with contextlib.suppress(ValueError, RecursionError):  # no message: `ChildProcess.receive` ends the child then
        message = json.loads(data)
        if isinstance(message, dict):
            str(errors.from_dict(message))
            with contextlib.suppress(WorkerError, RecordingError):
                media_told(message, samples=16_000, limits=DecodeLimits())


def file_name(data: bytes) -> None:
    """The name of a dropped file, and of one in a folder."""
    name = os.fsdecode(data.replace(b"\0", b""))
    extension_of(name)
    is_ignored(name)
    assert printable(name).isprintable()
    safe = output_name(name)
    assert not safe.startswith(("/", "."))
    assert ".." not in safe.split("/")
    assert all(len(os.fsencode(part)) <= 255 for part in safe.split("/"))  # noqa: PLR2004 - NAME_MAX


#: Name → the parser and an input that it takes, from which others are made.
TARGETS: Mapping[str, tuple[Target, bytes]] = {
    "archive": (archive, b'{"settings":{"h":{}},"jobs":[{"id":"20261122-190512-7f3a9c","settings_hash":"h","status":"completed"}]}'),
    "child_answer": (
        child_answer,
        b'{"container":"wav","codec":"pcm_s16le","sample_rate":16000,"channels":1,"duration":1.0,"damaged_frames":0,"undefended":[]}',
    ),
    "container_length": (container_length, b"\x1a\x45\xdf\xa3\x84\0\0\0\0\x18\x53\x80\x67\x01\0\0\0\0\0\0\x10OggS\0\0\0\0ftypmoovfmt data"),
    "control_request": (control_request, b'{"command":"status","job":"20261122-190512-7f3a9c"}\n'),
    "file_name": (file_name, b"Meeting ..%2f \xff\n-rf.wav"),
    "ggml_file": (ggml_file, b"lmgg" + bytes(200)),
    "ggml_header": (ggml_header, b"lmgg" + bytes(44)),
    "job_record": (
        job_record,
        (
            b'{"id":"20261122-190512-7f3a9c","source_name":{"surrogates":"ff"},"output_name":"a","stages":["decode"],"settings":{},'
            b'"settings_hash":"h","created":1.0,"changed":1.0,"status":"queued","media_id":null,"stage":null,"error":null,"attempts":0,'
            b'"interruptions":0,"not_before":null,"started":null,"finished":null,"size":1,"duration":null,"duplicate_of":null}'
        ),
    ),
    "manifest": (manifest, b'{"run":"r","name":"talk","files":{"talk.json":"00"},"former":{"talk.srt":["00"]}}'),
    "safetensors_file": (
        safetensors_file,
        b'\x3a\0\0\0\0\0\0\0{"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}' + bytes(12),
    ),
    "seen_log": (seen_log, b"0" * 64 + b" 20261122-190512-7f3a9c"),
    "settings": (settings, b"root: /srv/trax\nasr:\n  language: en\nintake: {formats: [.wav]}\noutput: &a {formats: [json]}\n"),
    "snapshot": (snapshot, b'{"jobs":{"1":{"id":"20261122-190512-7f3a9c","status":"queued"}}}'),
    "torch_checkpoint": (torch_checkpoint, b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}q\0.\x80\x02}q\0."),
}
