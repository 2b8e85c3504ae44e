"""What nobody may touch: a file whose every opening is heard of, and a server that counts who comes."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_OPEN_OR_READ = 0x20 | 0x01  # IN_OPEN, IN_ACCESS of inotify(7)
_EVENT = struct.Struct("=iIII")


class Canary:
    """A file in which the kernel hears every opening and reading, whoever does it. A context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(b"confidential " * 1000)
        libc = ctypes.CDLL(None, use_errno=True)
        self._events = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._events < 0 or libc.inotify_add_watch(self._events, os.fsencode(path), _OPEN_OR_READ) < 0:
            raise OSError(ctypes.get_errno(), "inotify is not to be had")

    def touches(self) -> int:
        """How often it was opened or read since the last call."""
        try:
            return len(os.read(self._events, 1 << 16)) // _EVENT.size
        except BlockingIOError:
            return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._events)


class Listener:
    """A server on this machine, TCP and UDP on one port, that counts connections and datagrams. A context manager."""

    def __init__(self) -> None:
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def visits(self) -> int:
        """How many connections and datagrams came so far."""
        self._udp.settimeout(0)
        try:
            while self._udp.recv(1 << 16):
                self.connections += 1
        except BlockingIOError:
            return self.connections
        return self.connections

    def _accept(self) -> None:
        while True:
            try:
                self._tcp.accept()[0].close()
            except OSError:
                return
            self.connections += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()
        self._udp.close()
