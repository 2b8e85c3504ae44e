"""The tokens of Whisper's English vocabulary that the digits models use, and the rows of the embedding that are trained for them. Pure.

Of the 51,864 rows only those of the ten words, the marks and the time stamps are trained by themselves; all others share one row.
"""

from __future__ import annotations

import math
from typing import Final

SIZE: Final = 51864
END, START, PREVIOUS, NO_SPEECH, FIRST_TIMESTAMP = 50256, 50257, 50360, 50361, 50363
TIMESTAMPS: Final = 1501  # one every 20 ms, 0 to 30 s
TIMESTAMP_SECONDS: Final = 0.02

DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
#: The tokens of " zero" to " nine" in GPT-2's vocabulary: each word is one token with the space before it.
DIGIT_TOKENS: Final = (6632, 530, 734, 1115, 1440, 1936, 2237, 3598, 3624, 5193)

#: Trained rows by token, in this order; the row after the last stands for every other token.
ROW_TOKENS: Final = (*DIGIT_TOKENS, END, START, NO_SPEECH, *range(FIRST_TIMESTAMP, FIRST_TIMESTAMP + TIMESTAMPS))
ROWS: Final = len(ROW_TOKENS) + 1
OTHER_ROW: Final = ROWS - 1
#: What the shared row's logit gets in the loss, since it stands for so many rows of one softmax.
OTHER_LOG_COUNT: Final = math.log(SIZE - len(ROW_TOKENS))

END_ROW, START_ROW, NO_SPEECH_ROW = 10, 11, 12
FIRST_TIMESTAMP_ROW: Final = 13


def timestamp_row(seconds: float) -> int:
    """The row of the time stamp nearest to a time in a window (0 to 30 s)."""
    return FIRST_TIMESTAMP_ROW + min(max(round(seconds / TIMESTAMP_SECONDS), 0), TIMESTAMPS - 1)
