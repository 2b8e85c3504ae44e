"""Whisper's tokens as bytes, from the letters in which GPT-2's tokenizer writes them."""

from __future__ import annotations

from collections.abc import Mapping

from trax.errors import ModelError

#: Bytes that stand for themselves, as Latin-1 characters; the others are written as the characters from 256 on.
_THEMSELVES = frozenset([*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)])
_OTHERS = [byte for byte in range(256) if byte not in _THEMSELVES]
#: The byte that each letter stands for.
BYTES = {chr(byte): byte for byte in _THEMSELVES} | {chr(256 + place): byte for place, byte in enumerate(_OTHERS)}


def decoded(tokens: Mapping[str, int], count: int) -> tuple[bytes, ...]:
    """The bytes of the tokens 0 to count - 1, from `tokens`, which maps their letters to their numbers.

    Source of the letters: `bytes_to_unicode` in the encoder of GPT-2. The last token may be absent: the multilingual vocabulary ends with
    an empty one. Raises ModelError when another is, or one has letters that stand for no byte.
    """
    texts = {number: text for text, number in tokens.items()}
    texts.setdefault(count - 1, "")
    try:
        return tuple(bytes(BYTES[letter] for letter in texts[number]) for number in range(count))
    except KeyError as error:
        raise ModelError(f"This is not Whisper's vocabulary: {error.args[0]!r} is unknown or missing.") from error
