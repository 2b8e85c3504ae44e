"""How a running job stands: held in memory, never written to the ledger. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

#: Below this share of a job its speed says nothing yet.
_TOO_EARLY = 0.02


@dataclass(frozen=True, slots=True)
class Live:
    """A job in hand: its stage, the fraction of the whole that is done, the seconds of audio once they are known.

    `began` is when this attempt began, on the monotonic clock, and `began_at` the fraction it began with: a resumed job has
    not done that part in this time.
    """

    stage: str
    fraction: float
    audio_seconds: float | None
    began: float
    began_at: float

    def moved(self, stage: str, fraction: float, audio_seconds: float | None) -> Live:
        """The job further on; seconds of audio that are not told of again are still known."""
        return replace(self, stage=stage, fraction=fraction, audio_seconds=audio_seconds or self.audio_seconds)

    def speed(self, now: float) -> float | None:
        """Audio time over processing time (1/RTF) so far; None while it is too early to tell."""
        done = self.fraction - self.began_at
        if self.audio_seconds is None or done < _TOO_EARLY or now <= self.began:
            return None
        return self.audio_seconds * done / (now - self.began)

    def eta_seconds(self, now: float) -> float | None:
        """Seconds until the job is done at the speed so far; None while it is too early to tell."""
        done = self.fraction - self.began_at
        if done < _TOO_EARLY or now <= self.began:
            return None
        return (1.0 - self.fraction) * (now - self.began) / done
