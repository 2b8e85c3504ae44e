"""Whether a file can hold the sound it yields. Pure.

A few kilobytes can be made to yield hours of silence: by a codec for which silence costs next to nothing, a sample table that names the
same bytes a million times, time stamps that leap ahead. No recording is that small: by their formats, the leanest codecs for speech
take some hundreds of bytes a second, and FLAC at 8 kHz, in blocks of 4096 samples of digital silence, still some 21 to 25.
"""

from __future__ import annotations

from trax.errors import DamagedRecording, UnsupportedRecording

#: Less than this a recording of any length does not take, bytes for a second of sound.
LEAST_BYTES = 20
#: A recording may begin with this much of nothing, or be it, seconds.
GRACE_SECONDS = 120.0
#: Some containers leave out what each packet begins with, so there may be somewhat more sound than file.
GRACE_BYTES = 1 << 20

MOST_CHANNELS = 64
LEAST_RATE, MOST_RATE = 1000, 768_000


def check_length(seconds: float, size: int) -> None:
    """Raises DamagedRecording when no recording of `size` bytes is that long."""
    if seconds > GRACE_SECONDS + size / LEAST_BYTES:
        raise DamagedRecording(f"The file makes {seconds / 60:,.0f} minutes of sound of {size:,} bytes: no recording is that small.")


def check_coded(coded: int, size: int) -> None:
    """Raises DamagedRecording when the sound is coded in more bytes than the file has: the same ones are named over and over."""
    if coded > GRACE_BYTES + 2 * size:
        raise DamagedRecording(f"The file has {size:,} bytes and names {coded:,} as coded sound: the same ones over and over.")


def check_form(sample_rate: int, channels: int) -> None:
    """Raises UnsupportedRecording for samples that nothing records: `sample_rate` in Hz."""
    if not LEAST_RATE <= sample_rate <= MOST_RATE:
        raise UnsupportedRecording(f"The sound has {sample_rate:,} samples a second; {LEAST_RATE:,} to {MOST_RATE:,} are taken.")
    if not 1 <= channels <= MOST_CHANNELS:  # to FFmpeg, more than it can lay out are none
        raise UnsupportedRecording(f"The sound has no channels, or too many: 1 to {MOST_CHANNELS} are taken.")
