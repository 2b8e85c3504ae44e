"""The client of the daemon's control socket: one JSON object a line each way, one question a connection."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trax.errors import ControlError, DaemonAbsent, DaemonBusy, from_dict

#: A reply with fifty queued jobs takes about 50 kB; more than this is no reply of traxd.
MAX_REPLY = 16 << 20
#: What changes nothing, so that it may be asked again without a thought.
_LOOKS = frozenset({"ping", "status", "show"})
_MAYBE_DONE = "It may do it yet: look at `trax-ctl status` before you ask again, and at `journalctl -u traxd` if it stays so."


def ask(socket_path: Path, request: Mapping[str, Any], *, timeout: float = 5.0) -> dict[str, Any]:
    """Ask the daemon and return its `result`.

    Args:
        socket_path: The daemon's control socket.
        request: The command and its arguments, JSON-ready.
        timeout: Seconds for the whole exchange.

    Raises:
        DaemonAbsent: Nobody listens.
        DaemonBusy: It listens and does not answer in time.
        ControlError: It may not be asked, hangs up, or its reply is no reply.
        TraxError: What the daemon refuses, as the error it named.
    """
    until = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        _connect(connection, socket_path, timeout)
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = _read_line(connection, until)
        except TimeoutError as error:
            advice = None if request.get("command") in _LOOKS else _MAYBE_DONE
            raise DaemonBusy(f"traxd did not answer within {timeout:g} s.", advice=advice) from error
        except OSError as error:
            raise ControlError(f"The talk with traxd broke off: {error.strerror or error}.") from error
    return _result(line)


def _connect(connection: socket.socket, path: Path, timeout: float) -> None:
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise DaemonAbsent("traxd is not running: nobody listens on its socket.", file=str(path)) from error
    except PermissionError as error:
        raise ControlError("You may not talk to traxd.", file=str(path), advice="Join the group trax, or use sudo.") from error
    except (TimeoutError, BlockingIOError) as error:
        raise DaemonBusy(f"traxd did not take the call within {timeout:g} s.", file=str(path)) from error
    except OSError as error:
        advice = "See `socket` in the settings; a socket's path may have 107 bytes."
        raise ControlError(f"The socket of traxd cannot be used: {error.strerror or error}.", file=str(path), advice=advice) from error


def _read_line(connection: socket.socket, until: float) -> bytes:
    received = bytearray()
    while b"\n" not in received:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        chunk = connection.recv(1 << 16)
        if not chunk:
            raise ControlError("traxd hung up without an answer.", advice="See `journalctl -u traxd`.")
        received += chunk
        if len(received) > MAX_REPLY:
            raise ControlError("The answer from the socket is too long to be one of traxd.")
    return bytes(received.split(b"\n", 1)[0])


def _result(line: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(line)
    except ValueError as error:
        raise ControlError("The answer from the socket is not one of traxd: it is no JSON.") from error
    match reply:
        case {"ok": True, "result": dict(result)}:
            return result
        case {"ok": False, "error": dict(error_plain)}:
            raise from_dict(error_plain)
        case _:
            raise ControlError("The answer from the socket is not one of traxd.")
