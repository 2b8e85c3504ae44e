"""Whisper's tokenizer as Hugging Face keeps it (tokenizer.json), from the tokens in a ggml file. Pure.

A ggml file holds the tokens but not the merges that GPT-2's byte-pair encoding (Sennrich, Haddow and Birch, 2016) puts text together by.
They follow from the tokens: their numbers are in the order of the merges, and what a token was merged from are the two parts that remain
when its bytes are encoded by the merges before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from trax.languages import LANGUAGES
from trax.models.ggml.vocabulary import BYTES

_LETTERS = {byte: letter for letter, byte in BYTES.items()}
_OLDER_LANGUAGES = 99
_STAMPS = 1501


def letters(token: bytes) -> str:
    """A token as GPT-2's vocabulary writes it."""
    return "".join(_LETTERS[byte] for byte in token)


def merges(tokens: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """What each token of more than a byte was merged from, in order. Raises ValueError when some token follows from no two before it."""
    ranks = {token: number for number, token in enumerate(tokens)}
    return [_parts(token, ranks) for token in tokens if len(token) > 1]


def _parts(token: bytes, ranks: Mapping[bytes, int]) -> tuple[bytes, bytes]:
    parts = [token[place : place + 1] for place in range(len(token))]
    while len(parts) > 2:  # noqa: PLR2004 - a merge is of two
        rank, place = min((ranks.get(first + second, len(ranks)), place) for place, (first, second) in enumerate(pairwise(parts)))
        if rank >= ranks[token]:
            raise ValueError(f"the token {token!r} follows from no merge of earlier ones")
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return parts[0], parts[1]


def special_tokens() -> tuple[str, ...]:
    """The special tokens of the English models, in the order of their numbers, which begin where the text tokens end."""
    languages = [f"<|{language}|>" for language in LANGUAGES[:_OLDER_LANGUAGES]]
    tasks = ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nocaptions|>", "<|notimestamps|>"]
    stamps = [f"<|{number * 0.02:.2f}|>" for number in range(_STAMPS)]
    return ("<|endoftext|>", "<|startoftranscript|>", *languages, *tasks, *stamps)


def tokenizer(tokens: Sequence[bytes]) -> dict[str, Any]:
    """The content of tokenizer.json for an English model's text tokens."""
    special = enumerate(special_tokens(), start=len(tokens))
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": [
            {
                "id": number,
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                # the stamps are not special there, so that decoding may keep them
                "special": not token[2].isdigit(),
            }
            for number, token in special
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": {letters(token): number for number, token in enumerate(tokens)},
            "merges": [[letters(first), letters(second)] for first, second in merges(tokens)],
        },
    }
