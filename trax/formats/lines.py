"""Text as subtitles and lists need it: on one line, free of control characters, broken where a reader would pause."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from trax.text import JOINERS
from trax.transcript import UNSPACED_LANGUAGES, Segment

#: The common limits of subtitles (EBU, BBC and Netflix agree on 42 columns and two lines, give or take a few).
LINE_WIDTH = 42
MAX_LINES = 2

SENTENCE_ENDS = ".?!…。？！"  # noqa: RUF001 - Chinese and Japanese marks
CLAUSE_ENDS = ",;:–—、，；："  # noqa: RUF001 - Chinese and Japanese marks, and dashes
_CLOSERS = "\"'’”»)]」』）"  # noqa: RUF001 - quotation marks as they are printed

# How much worse a cut may balance the two lines, in columns, for standing at punctuation, or for not leaving a number or the name alone.
_PUNCTUATION_IS_WORTH = 12
_ALONE_COSTS = 2 * LINE_WIDTH


def one_line(text: str) -> str:
    """The text on one line: every run of white space and control characters is one space, invisible marks go.

    Half of a surrogate pair, which no encoding can write, becomes U+FFFD.
    """
    if not text.isprintable():
        text = "".join(map(_visible, text))
    return " ".join(text.split())


def _visible(character: str) -> str:
    match unicodedata.category(character):
        case "Cc":
            return " "
        case "Cs":
            return "\ufffd"
        case "Cf" if character not in JOINERS:
            return ""
        case _:
            return character


def width(text: str) -> int:
    """Columns the text takes: two for a wide East Asian character, none for a mark on the one before."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def ends_with(text: str, marks: str) -> bool:
    """Whether the text ends with one of the marks, quotation marks and brackets after it aside."""
    return text.rstrip(_CLOSERS).endswith(tuple(marks))


def separator(language: str) -> str:
    """What stands between two words of the language."""
    return "" if language in UNSPACED_LANGUAGES else " "


def tokens(segment: Segment, language: str) -> list[str]:
    """The pieces of a segment between which a line may break, cleaned; empty ones are left out."""
    cleaned = [one_line(word.text) for word in segment.words]
    if separator(language):
        return " ".join(cleaned).split()
    return [text for text in cleaned if text]


def text_of(segment: Segment, language: str) -> str:
    """A segment's words as one line of text."""
    return separator(language).join(tokens(segment, language))


def subtitle_lines(segment: Segment, language: str, label: str | None = None) -> list[str]:
    """A segment's text in lines of at most 42 columns: one where it fits, else two of about one length; none without text.

    Words are never cut, so a word wider than a line is a line of its own, and a segment that is too long takes more lines.

    Args:
        segment: What to show.
        language: Decides whether words are separated.
        label: The speaker's name, to stand before the text (`SPEAKER_00: …`) and to count as part of the first line.
    """
    space = separator(language)
    parts = tokens(segment, language)
    if not parts:
        return []
    if label is not None:
        parts.insert(0, one_line(label) + (":" if space else ": "))
    whole = space.join(parts)
    if width(whole) <= LINE_WIDTH or len(parts) < 2:  # noqa: PLR2004 - one part cannot be cut
        return [whole]
    cut = _best_cut(parts, space, labelled=label is not None)
    lines = _filled(parts, space) if cut is None else [space.join(parts[:cut]), space.join(parts[cut:])]
    return [line.rstrip() for line in lines]


def _best_cut(parts: Sequence[str], space: str, *, labelled: bool) -> int | None:
    """Before which part the second of two lines begins; None where two lines do not suffice."""
    best: tuple[int, int] | None = None
    for cut in range(1, len(parts)):
        upper, lower = space.join(parts[:cut]), space.join(parts[cut:])
        if width(upper) > LINE_WIDTH or width(lower) > LINE_WIDTH:
            continue
        cost = abs(width(upper) - width(lower))
        if ends_with(parts[cut - 1], SENTENCE_ENDS + CLAUSE_ENDS):
            cost -= _PUNCTUATION_IS_WORTH
        # readers of SRT take a number on a line of its own for the counter of a cue
        if lower.isdecimal() or upper.isdecimal() or (labelled and cut == 1):
            cost += _ALONE_COSTS
        if best is None or cost < best[0]:
            best = (cost, cut)
    return best[1] if best else None


def _filled(parts: Sequence[str], space: str) -> list[str]:
    """As many words to a line as fit, for as many lines as it takes."""
    lines = [parts[0]]
    for part in parts[1:]:
        longer = lines[-1] + space + part
        if width(longer) <= LINE_WIDTH:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines
