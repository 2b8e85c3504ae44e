"""Rights taken away from a daemon before it starts, where the attacks run as root, who has them all."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

_DROP_FROM_BOUNDING_SET = 24  # PR_CAPBSET_DROP of prctl(2)
_CAPABILITIES = {"CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_LEASE": 28}


def without_right(*names: str) -> Callable[[], None]:
    """What an Appliance calls in the daemon's process: from its exec on it has not these capabilities."""

    def drop() -> None:
        for name in names:
            ctypes.CDLL(None).prctl(_DROP_FROM_BOUNDING_SET, _CAPABILITIES[name], 0, 0, 0)

    return drop
