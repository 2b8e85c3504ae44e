"""A real HTTP server for tests of downloads: it serves files with ranges, and misbehaves as it is told, one request after the other."""

from __future__ import annotations

import hashlib
import re
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from trax.models.part import Part

#: A file to be fetched, and its path on the server.
DATA = bytes(range(256)) * 4000
FILE = "/some/model.bin"
#: Bytes sent at once.
_PIECE = 64 * 1024


@dataclass
class Served:
    """A file as the server knows it; `etag` and `modified` name its version, "" where the server has no such name."""

    data: bytes
    etag: str = ""
    modified: str = ""
    kind: str = "application/octet-stream"
    ranges: bool = True
    tells_length: bool = True

    def __post_init__(self) -> None:
        if not self.etag and not self.modified:
            self.etag = f'"{hashlib.md5(self.data).hexdigest()}"'


@dataclass(frozen=True)
class Fault:
    """How one request goes wrong: it is answered by `status` and `headers` alone, or the body ends after `cut` bytes (see `then`)."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    then: Callable[[], object] = lambda: None


class FileServer(ThreadingHTTPServer):
    """Serves `files` by path; `faults` are taken by the requests in turn; `asked` keeps each request's path and headers."""

    daemon_threads = True

    def __init__(self, certificate: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, Served] = {}
        self.redirects: dict[str, str] = {}
        self.faults: deque[Fault | None] = deque()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def address(self, path: str = "", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.server_address[1]}{path}"

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def do_GET(self) -> None:
        self.server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        fault = (self.server.faults.popleft() if self.server.faults else None) or Fault()
        if fault.status is not None:
            self._end(fault.status, fault.headers)
        elif self.path in self.server.redirects:
            self._end(302, {"Location": self.server.redirects[self.path]})
        elif self.path in self.server.files:
            self._send(self.server.files[self.path], fault)
        else:
            self._end(404, {})

    def _end(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, served: Served, fault: Fault) -> None:
        start = self._start(served)
        body = served.data[start:]
        self.send_response(200 if start == 0 else 206)
        headers = {"Content-Type": served.kind}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(served.data) - 1}/{len(served.data)}"
        if served.tells_length:
            headers["Content-Length"] = str(len(body))
        else:
            self.close_connection = True
            headers["Connection"] = "close"
        headers |= {"ETag": served.etag} if served.etag else {}
        headers |= {"Last-Modified": served.modified} if served.modified else {}
        for name, value in {**headers, **fault.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        end = len(body) if fault.cut is None else min(fault.cut, len(body))
        for at in range(0, end, _PIECE):
            self.wfile.write(body[at : min(at + _PIECE, end)])
        self.wfile.flush()
        fault.then()
        if fault.cut is not None:
            self.close_connection = True

    def _start(self, served: Served) -> int:
        """Where to begin: at 0 unless a range is asked for, of this version of the file."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in {None, served.etag, served.modified}
        return int(found[1]) if found and same and served.ranges and int(found[1]) < len(served.data) else 0

    def log_message(self, *_: object) -> None:
        pass


class Watcher:
    """A display and a clock that remember what they were told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.waits: list[float] = []
        self.progress: list[tuple[int, int | None]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def advance(self, _file: str, done: int, total: int | None) -> None:
        self.progress.append((done, total))


def arrived(part: Part, data: bytes) -> None:
    """Asserts that a part is all of the data, and knows it."""
    assert part.path.read_bytes() == data
    assert (part.length, part.sha256, part.is_whole) == (len(data), hashlib.sha256(data).hexdigest(), True)
