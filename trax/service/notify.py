"""Telling systemd how we are (the sd_notify protocol: one datagram of NAME=value lines to the socket in $NOTIFY_SOCKET)."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(**variables: str | int) -> bool:
    """Send e.g. `notify(READY=1, STATUS="…")`. Returns False where no systemd listens; never raises: it must not stop the work."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # a socket in the abstract namespace
        address = "\0" + address[1:]
    message = "\n".join(f"{name}={value}" for name, value in variables.items())
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as outlet:
        outlet.sendto(message.encode(), address)
        return True
    return False


def watchdog_seconds() -> float | None:
    """How long systemd waits for a sign of life before it ends us; None when it does not watch this process."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdigit() and int(microseconds) > 0 else None
