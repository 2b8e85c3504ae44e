"""What two passes came to, as tables, and as the section of `docs/accuracy.md`. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from calibration import bins
from machine import Machine
from surroundings import NOISY, SURROUNDINGS
from two_passes_result import BETTER, BOTH, FAST, THRESHOLDS, Result, discrimination, doubt_needed, score_error, scores, time_errors, total

_ALL, _ALL_NOISE = "**all but the known**", "**all noise**"

_RULES = """\
Conversations of digits, joined from clips of the Free Spoken Digit Dataset (CC-BY-SA-4.0) that no training heard: turns of one to eight
digits, pauses of 0.4 to 1.6 s between them. The same conversations in all surroundings, of six speakers, one of whom is left out of the
training altogether; *known speakers* are the other five, in conversations of their own. Noise lies so many decibels below the speech; each
half minute has its kind, hiss of some colour or tones. Telephone: nothing below 300 and above 3,400 Hz.

**WER** in percent: of the model `digits-fast` over everything, of the model `digits` over everything, and of both: `digits-fast`, and
`digits` over what is in doubt. Voice activity comes first each time. **Heard again**: seconds that the second model hears, of the
recording's. **Work**: seconds of processor time for a minute of sound, one thread, models loaded, without voice activity.

**Errors doubted, words doubted**: of the errors of `digits-fast`, and of all its words and those it missed, the share whose middle lies
where the second pass may replace words; a word that was missed counts when it was said. **AUC**: how often a right word of `digits-fast`
scores more than a wrong one, and **80 % of the wrong in**: the least share of its words, by score alone, that holds so many of the wrong
ones; both are of words that were heard, before doubt grows to pauses. **ECE**: expected calibration error of the scores, ten bins.
**Starts, ends**: by how many milliseconds the words that both passes got right are off: median, 95th percentile. What was heard is aligned
with what was said by the fewest errors and, among equals, the least distance in time.
"""


def tables(results: Mapping[str, Result]) -> str:
    """Markdown: word error rates and work; doubt, scores and times; the reliability diagram of the scores of both passes."""
    everyone = total(results[name] for name in SURROUNDINGS)
    rows = {**results, _ALL: everyone}
    noise = total(results[name] for name in NOISY)
    doubted = {**results, _ALL_NOISE: noise, _ALL: everyone}
    return "\n".join(
        [
            "| bed | words | WER: fast | refine | both | heard again | work: fast | refine | both |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
            *(_row(name, *_error_figures(result)) for name, result in rows.items()),
            "",
            "| bed | errors doubted | words doubted | AUC | 80 % of the wrong in | ECE: fast | both | starts | ends |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
            *(_row(name, *_doubt_figures(result)) for name, result in doubted.items()),
            "",
            "| in noise, heard again what scores below | errors doubted | words doubted |",
            "|---|---:|---:|",
            *(
                _row(f"{threshold:g}", f"{100 * noise.errors_doubted(threshold):.0f} %", f"{100 * noise.words_doubted(threshold):.0f} %")
                for threshold in THRESHOLDS
            ),
            "",
            "| score of both passes | words | mean score | right |",
            "|---|---:|---:|---:|",
            *(
                _row(f"{lower:.1f} to {lower + 0.1:.1f}", str(count), f"{score:.3f}", f"{right:.3f}")
                for lower, count, score, right in bins(*scores(everyone.ways[BOTH].pairs))
            ),
        ]
    )


def section(text: str, *, windows: int, machine: Machine, command: str, date: str) -> str:
    """The section of the page, with these tables."""
    return f"""## Two passes, on digits

Made by `{command}` on {date}, {windows} half minutes a bed; do not edit by hand. Machine: {machine}.

{text}

{_RULES}"""


def _row(*fields: str) -> str:
    return f"| {' | '.join(fields)} |"


def _error_figures(result: Result) -> tuple[str, ...]:
    ways = [result.ways[name] for name in (FAST, BETTER, BOTH)]
    return (
        str(ways[0].errors.words),
        *(f"{100 * way.errors.rate:.2f}" for way in ways),
        f"{100 * result.refined / result.audio:.0f} %",
        *(f"{60 * way.work / result.audio:.2f}" for way in ways),
    )


def _doubt_figures(result: Result) -> tuple[str, ...]:
    fast, both = result.ways[FAST].pairs, result.ways[BOTH].pairs
    return (
        f"{100 * result.errors_doubted():.0f} %",
        f"{100 * result.words_doubted():.0f} %",
        f"{discrimination(fast):.3f}",
        f"{100 * doubt_needed(fast):.0f} %",
        *(f"{score_error(pairs):.3f}" for pairs in (fast, both)),
        *(f"{np.median(each):.0f}, {np.percentile(each, 95):.0f}" for each in time_errors(both)),
    )
