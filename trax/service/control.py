"""The control socket: trax-ctl asks, the daemon answers; one JSON object a line each way.

{"command": "show", "job": "…"}  →  {"ok": true, "result": {…}}  or  {"ok": false, "error": {code, what, advice, file, permanent}}
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import struct
from array import array
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from loguru import logger

from trax.errors import ControlError, DiskFailed, TraxError

Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]

_LINE_LIMIT = 1 << 20
#: Seconds a peer may take between two requests before it is let go.
_IDLE_SECONDS = 60.0
_UCRED = struct.Struct("3i")
#: The supplementary groups of a peer, of socket(7); Python has no name for it, and asks for 1024 bytes at most: 256 groups.
_SO_PEERGROUPS, _GROUPS_SIZE = 59, 1024
SOCKET_MODE = 0o660


def may_ask(uid: int, gid: int, groups: set[int], *, own_uid: int, own_gid: int) -> bool:
    """Whether a peer may ask: root, the daemon's own user, and members of its group."""
    return uid in (0, own_uid) or own_gid in groups | {gid}


class ControlServer:
    """Listens on `path` and answers with what `handle` returns. One request is handled at a time for each peer."""

    def __init__(self, path: Path, handle: Handler) -> None:
        self._path = path
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._peers: set[asyncio.StreamWriter] = set()
        self._has_ended = asyncio.Event()
        self._failure: DiskFailed | None = None

    async def start(self) -> None:
        """Listen. A socket that a killed daemon left behind is replaced: the caller holds the daemon's lock. Raises ControlError."""
        try:
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISSOCK(self._path.lstat().st_mode):
                    self._path.unlink()
            before = os.umask(0o177)  # closed to all until the mode is set
            try:
                self._server = await asyncio.start_unix_server(self._serve, self._path, limit=_LINE_LIMIT)
            finally:
                os.umask(before)
            self._path.chmod(SOCKET_MODE)
        except OSError as error:
            what = f"The control socket cannot be made: {error.strerror or error}."
            raise ControlError(what, file=str(self._path), advice="Set `socket` to a shorter path that can be written.") from error

    async def run(self) -> None:
        """Serve until a request finds the disk failing. Raises DiskFailed: the peer has been told, and the daemon must not go on."""
        await self._has_ended.wait()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Stop listening and let all peers go."""
        if self._server is None:
            return
        self._server.close()
        for writer in self._peers:
            writer.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._peers.add(writer)
        try:
            is_welcome = _is_welcome(writer.get_extra_info("socket"))
            while True:
                async with asyncio.timeout(_IDLE_SECONDS):
                    line = await reader.readline()
                if not line:
                    return
                if not is_welcome:  # told only now: a peer that still writes would not hear it
                    refused = ControlError("You may not control this Trax.", advice="Ask for membership in the trax group.")
                    writer.write(_line(ok=False, error=refused.as_dict()))
                    return
                writer.write(await self._answer(line))
                await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            pass  # the peer is gone, idle, or sent an endless line
        finally:
            self._peers.discard(writer)
            writer.close()

    async def _answer(self, line: bytes) -> bytes:
        try:
            return _line(ok=True, result=await self._handle(request_of(line)))
        except TraxError as error:
            if isinstance(error, DiskFailed):
                self._failure = error
                self._has_ended.set()
            return _line(ok=False, error=error.as_dict())
        except Exception:  # noqa: BLE001 - a request that trips us up must not end the daemon
            logger.exception("a request failed")
            return _line(ok=False, error=ControlError("The daemon failed to answer; its log says why.").as_dict())


def _is_welcome(connection: socket.socket) -> bool:
    _, uid, gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    # Both as they were when the peer connected: by its pid in /proc it could be another process by now.
    try:
        groups = array("I", connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_SIZE))
    except OSError:  # more groups than can be asked for: its user and its first group still speak for it
        groups = array("I")
    is_welcome = may_ask(uid, gid, set(groups), own_uid=os.geteuid(), own_gid=os.getegid())
    if not is_welcome:
        logger.warning("user {} is refused at the control socket", uid)
    return is_welcome


def request_of(line: bytes) -> dict[str, Any]:
    """The request on a line. Raises ControlError when it is none."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        raise ControlError("A request is one JSON object on one line.")
    return request


def _line(**answer: Any) -> bytes:  # noqa: ANN401 - an answer is any JSON object
    return json.dumps(answer, separators=(",", ":")).encode() + b"\n"
