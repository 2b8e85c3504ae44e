"""How a running job stands: held in memory, never written to the ledger. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trax.pipeline.runner import Progress

#: Below this share of a job its speed says nothing yet.
_TOO_EARLY = 0.02


@dataclass(frozen=True, slots=True)
class Live:
    """A job in hand: its stage, the fraction of the whole that is done, the seconds of audio once they are known.

    `stage` is None while it waits for a worker. `worked` are the seconds this attempt was at work until `told`, which is when it was last
    told of, on the monotonic clock; `began_at` is the fraction it began with: a resumed job has not done that part in this time.
    """

    stage: str | None
    fraction: float
    audio_seconds: float | None
    told: float
    began_at: float
    worked: float = 0.0

    def moved(self, progress: Progress, now: float) -> Live:
        """The job further on; seconds of audio that are not told of again are still known."""
        audio_seconds = progress.audio_seconds or self.audio_seconds
        return replace(
            self, stage=progress.stage, fraction=progress.fraction, audio_seconds=audio_seconds, told=now, worked=self._worked(now)
        )

    def _worked(self, now: float) -> float:
        return self.worked + (0.0 if self.stage is None else now - self.told)

    def speed(self, now: float) -> float | None:
        """Audio time over processing time (1/RTF) so far; None while it is too early to tell, or nobody works on it."""
        pace = self._pace(now)
        return None if pace is None or self.audio_seconds is None else self.audio_seconds * pace

    def eta_seconds(self, now: float) -> float | None:
        """Seconds until the job is done at the speed so far; None while it is too early to tell, or nobody works on it."""
        pace = self._pace(now)
        return None if pace is None else (1.0 - self.fraction) / pace

    def _pace(self, now: float) -> float | None:
        """The share of the job that is done in a second of work."""
        done, worked = self.fraction - self.began_at, self._worked(now)
        return None if self.stage is None or done < _TOO_EARLY or worked <= 0.0 else done / worked


def followed(known: Live | None, progress: Progress, now: float) -> Live:
    """How a job stands after `progress` was told of; None was known of it before its first."""
    if known is None:
        return Live(progress.stage, progress.fraction, progress.audio_seconds, now, progress.fraction)
    return known.moved(progress, now)
