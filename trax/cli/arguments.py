"""What the text of an option stands for. Each raises argparse.ArgumentTypeError, which argparse shows."""

from __future__ import annotations

import argparse

from trax.languages import checked_language

AUTO = "auto"


def setting(text: str) -> tuple[str, str]:
    """`KEY=VALUE`."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE, such as diarize.max_speakers=2")
    return key.strip(), value


def positive(text: str) -> float:
    """A number above zero."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above zero")
    return value


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def distance(text: str) -> float | str:
    """A cosine distance, or "auto"."""
    if text == AUTO:
        return AUTO
    value = positive(text)
    if value >= 2:  # noqa: PLR2004 - the distance of opposite vectors
        raise argparse.ArgumentTypeError(f"{text!r} is not below 2")
    return value


def language(text: str) -> str:
    """The code of a language, or "auto"."""
    try:
        return checked_language(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None
