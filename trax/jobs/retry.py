"""When a job that failed for a passing reason is tried again: exponential backoff with jitter, pure."""

from __future__ import annotations

from trax.config import Retries

# Beyond that many doublings any sensible first delay is over any longest one; 2.0 ** 1024 would overflow.
_MOST_DOUBLINGS = 64


def delay(policy: Retries, attempts: int, jitter: float) -> float:
    """Seconds to wait after attempt number `attempts` (1 is the first) failed; `jitter` is a random number in [0, 1).

    The wait is spread over its upper half, so that jobs which failed together do not come back together
    ("equal jitter" in Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """
    doublings = min(max(attempts, 1) - 1, _MOST_DOUBLINGS)
    longest = min(policy.first_delay_seconds * 2.0**doublings, policy.max_delay_seconds)
    return longest * (0.5 + 0.5 * jitter)
