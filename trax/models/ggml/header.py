"""The header of a Whisper ggml file: what it says about the model, without loading it.

The format is whisper.cpp's own (`whisper_model_load` in src/whisper.cpp): a magic number and eleven little-endian int32, then the
mel filters, the vocabulary and the tensors.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from trax.errors import ModelError
from trax.languages import LANGUAGES

HEADER_SIZE = 48
_MAGIC = 0x67676D6C
_LAYOUT = struct.Struct("<I11i")
_ENGLISH_VOCABULARY = 51864
_MULTILINGUAL_VOCABULARY = 51865
_ENGLISH_WORDS = 50256
#: Quantised files carry a thousand times the version of the quantisation format; version 1 was laid out otherwise and decodes to noise.
_VERSION_FACTOR = 1000
_WRITTEN_VERSION = 2
_READABLE_VERSIONS = (0, _WRITTEN_VERSION)

#: Kinds of weights by ggml's `ftype`.
_WEIGHTS = {
    0: "f32",
    1: "f16",
    2: "q4_0",
    3: "q4_1",
    7: "q8_0",
    8: "q5_0",
    9: "q5_1",
    10: "q2_k",
    11: "q3_k",
    12: "q4_k",
    13: "q5_k",
    14: "q6_k",
}

#: What else people take for a Whisper model, by its first bytes.
_OTHER_FORMATS = {
    b"GGUF": "This is a GGUF file, made for llama.cpp and its kin; whisper.cpp reads the older ggml format.",
    b"PK": "This is a PyTorch or zip file, not a ggml model.",
    b"version https://git-lfs": "This is a Git LFS pointer: a few lines of text that stand for the model.",
    b"<": "This is a web page, not a model: the download led to a page that asks for something.",
}

#: Plausible dimensions: (smallest, largest). The largest Whisper has width 1280 and 32 layers; it hears 80 or 128 mel bands.
_BOUNDS = {
    "vocabulary": (_ENGLISH_VOCABULARY, _MULTILINGUAL_VOCABULARY + 1),
    "audio_context": (1, 1500),
    "audio_width": (1, 8192),
    "audio_heads": (1, 256),
    "audio_layers": (1, 128),
    "text_context": (1, 4096),
    "text_width": (1, 8192),
    "text_heads": (1, 256),
    "text_layers": (1, 128),
    "mels": (80, 128),
}


@dataclass(frozen=True, slots=True)
class WhisperHeader:
    """The dimensions of a Whisper model. `weights` names how its matrices are stored, such as "q8_0"."""

    vocabulary: int
    audio_context: int
    audio_width: int
    audio_heads: int
    audio_layers: int
    text_context: int
    text_width: int
    text_heads: int
    text_layers: int
    mels: int
    weights: str

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages the vocabulary has tokens for (ISO 639 codes)."""
        if self.vocabulary == _ENGLISH_VOCABULARY:
            return ("en",)
        return LANGUAGES[: len(LANGUAGES) - 1 + self.vocabulary - _MULTILINGUAL_VOCABULARY]

    @property
    def words(self) -> int:
        """The number of tokens that are text: those before the end of the text, a time or a language."""
        return _ENGLISH_WORDS if self.vocabulary == _ENGLISH_VOCABULARY else _ENGLISH_WORDS + 1

    @property
    def parameters(self) -> int:
        """The number of weights in the attention and feed-forward matrices: 12 width² an encoder layer, 16 width² a decoder layer."""
        return 12 * self.audio_layers * self.audio_width**2 + 16 * self.text_layers * self.text_width**2


def parse_header(data: bytes) -> WhisperHeader:
    """Read the first `HEADER_SIZE` bytes of a Whisper ggml file.

    Raises ModelError, in words, for anything that is not the beginning of a Whisper model that whisper.cpp can run.
    """
    for beginning, what in _OTHER_FORMATS.items():
        if data.startswith(beginning):
            raise ModelError(what, advice=_ADVICE)
    if len(data) < HEADER_SIZE:
        raise ModelError(f"The file has {len(data)} bytes: too few for a model.", advice=_ADVICE)
    magic, *numbers, ftype = _LAYOUT.unpack_from(data)
    if magic != _MAGIC:
        raise ModelError("This is not a Whisper ggml file: it does not begin with the mark of one.", advice=_ADVICE)
    for (name, (least, most)), value in zip(_BOUNDS.items(), numbers, strict=True):
        if not least <= value <= most:
            raise ModelError(f"This is not a Whisper model: its {name.replace('_', ' ')} is {value}.", advice=_ADVICE)
    header = WhisperHeader(**dict(zip(_BOUNDS, numbers, strict=True)), weights=_weights(ftype))
    if header.audio_width != header.text_width or header.audio_width % header.audio_heads or header.text_width % header.text_heads:
        raise ModelError("This is not a Whisper model: its widths and heads do not fit each other.", advice=_ADVICE)
    return header


def pack_header(header: WhisperHeader) -> bytes:
    """The first `HEADER_SIZE` bytes of a file with these dimensions, as whisper.cpp's own tools write them."""
    ftype = next(number for number, name in _WEIGHTS.items() if name == header.weights)
    version = 0 if header.weights in {"f32", "f16"} else _WRITTEN_VERSION
    return _LAYOUT.pack(_MAGIC, *(getattr(header, name) for name in _BOUNDS), version * _VERSION_FACTOR + ftype)


_ADVICE = "Download a file named ggml-….bin, such as those in the catalogue that `trax-ctl models list` shows."


def _weights(ftype: int) -> str:
    version, kind = divmod(ftype, _VERSION_FACTOR)
    if kind not in _WEIGHTS or version not in _READABLE_VERSIONS:
        raise ModelError(f"The weights are stored in a way that whisper.cpp does not read (ftype {ftype}).", advice=_ADVICE)
    return _WEIGHTS[kind]
