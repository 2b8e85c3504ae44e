"""The entry point of traxd. Loads next to nothing before it can be asked to stop."""

from __future__ import annotations

import sys

from trax.service import stop_signals


def main(argv: list[str] | None = None) -> int:
    """Run the daemon until it is told to stop; returns the exit code."""
    stop_signals.leave_when_asked()
    try:
        from trax.service.starting import start  # a quarter of a second, in which the daemon can be asked to stop

        return start(argv)
    finally:
        stop_signals.ignore()


if __name__ == "__main__":
    sys.exit(main())
