"""Transcript to text: the output formats. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from trax.formats import ctm, json_, rttm, srt, txt, vtt
from trax.formats.error import render_error
from trax.transcript import Transcript

__all__ = ["RENDERERS", "render_all", "render_error"]

#: How each format is written, by the name it has in the settings, which is also its extension.
RENDERERS: Mapping[str, Callable[[Transcript], str]] = MappingProxyType(
    {"json": json_.render, "srt": srt.render, "vtt": vtt.render, "txt": txt.render, "rttm": rttm.render, "ctm": ctm.render}
)


def render_all(transcript: Transcript, formats: Iterable[str]) -> dict[str, Iterable[bytes]]:
    """The wanted outputs as UTF-8 in pieces, by format, in the order to write them: the JSON last, for it carries the others' checksums.

    Raises:
        KeyError: A format is not in `RENDERERS`.
    """
    outputs = {name: RENDERERS[name](transcript).encode() for name in formats if name != "json"}
    checksums = {name: hashlib.sha256(output).hexdigest() for name, output in outputs.items()}
    return {name: (output,) for name, output in outputs.items()} | {"json": json_.pieces(transcript, checksums)}
