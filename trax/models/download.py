"""Fetching a file over HTTP: continued where it broke off, never joined from two different files, refused in words.

A part is continued with `Range` and `If-Range` (RFC 9110, sections 13.1.5 and 14.2): the server sends the rest only when the file is still
the one the part belongs to, and otherwise all of it anew.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

import httpx

from trax import __version__, files
from trax.errors import DiskFull, ModelError, ModelUnreachable
from trax.models.answers import Broken, check_file, check_length, continues, length, shown, validator
from trax.models.part import Origin, Part
from trax.text import printable, size

Sleep = Callable[[float], None]

_TIMEOUT = httpx.Timeout(60.0, connect=20.0)
_MOST_REDIRECTS = 10
#: So often in a row nothing comes before we give up; the waits between double from one second on.
_TRIES = 5
#: Seconds; a server that asks to wait longer is not waited for.
_LONGEST_WAIT = 300.0


class Display(Protocol):
    """Who is told of the progress."""

    def note(self, text: str) -> None:
        """Something happened that people may want to know."""

    def advance(self, file: str, done: int, total: int | None) -> None:
        """Of a file `done` bytes are here, of `total` where that is known."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to be fetched.

    `size` (bytes) is None where nobody published it, `token` where none is to be shown. `more_room` is what will be needed on the disk
    besides the file itself, in bytes.
    """

    address: str
    size: int | None = None
    token: str | None = None
    more_room: int = 0


def client() -> httpx.Client:
    """The client to fetch with, to be closed. It heeds HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and .netrc. Raises ModelError."""
    try:
        # identity: a length and a range are of the file's own bytes
        return httpx.Client(timeout=_TIMEOUT, headers={"User-Agent": f"trax/{__version__}", "Accept-Encoding": "identity"})
    except (OSError, ValueError, httpx.InvalidURL) as error:
        advice = "Check SSL_CERT_FILE, SSL_CERT_DIR, HTTPS_PROXY, HTTP_PROXY and ALL_PROXY in the environment."
        raise ModelError(f"The network cannot be used as the environment asks: {printable(str(error))}.", advice=advice) from error


def fetch(wanted: Wanted, part: Part, http: httpx.Client, display: Display, sleep: Sleep) -> None:
    """Make `part` whole. What has come stays when it fails, unless it is not what is wanted.

    Raises:
        ModelUnreachable: the server cannot be reached or breaks off, again and again.
        ModelError: it has no such file, or not for us, or another one, or leads to an address that is not protected.
        StorageError: the disk refuses (DiskFull: for lack of room, also of the room that will be needed).
    """
    if part.origin is not None and part.origin.address != wanted.address:
        part.discard()
    failures, furthest = 0, part.length
    while not part.is_whole or wanted.size not in (None, part.length):
        try:
            _transfer(wanted, part, http, display)
        except (Broken, httpx.TransportError) as error:
            failures = failures + 1 if part.length <= furthest else 1
            furthest = max(furthest, part.length)
            wait = _wait(error, failures)
            if wait is None:
                raise _unreachable(wanted.address, error) from error
            display.note(f"{_words(error)}; trying again in {wait:.0f} s.")
            sleep(wait)


def _transfer(wanted: Wanted, part: Part, http: httpx.Client, display: Display) -> None:
    """Ask once and take what comes."""
    headers = {} if wanted.token is None else {"Authorization": f"Bearer {wanted.token}"}
    origin = part.origin if part.length else None
    if origin is not None and origin.validator:
        headers |= {"Range": f"bytes={part.length}-", "If-Range": origin.validator}
    response = _answer(http, wanted.address, headers)
    try:
        if "Range" in headers and response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.discard()
            raise Broken("The server has less of the file than came before")
        check_file(response, had_token=wanted.token is not None)
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            if origin is None or not continues(response, origin, part.length):
                part.discard()
                raise Broken("The server goes on with another piece or file")
        else:
            check_length(response, wanted.size)
            if part.length:
                display.note("The server does not go on where it broke off, or its file has changed: all of it is fetched anew.")
            origin = Origin(wanted.address, validator(response), length(response))
            part.discard()
        total = wanted.size if origin.size is None else origin.size
        _check_room(part, total, wanted.more_room)
        if part.origin is None:
            part.begin(origin)
        part.extend(_body(response, part, total, display))
    finally:
        response.close()
    if total is not None and part.length < total:
        raise Broken("The connection broke off")
    part.end()


def _answer(http: httpx.Client, address: str, headers: dict[str, str]) -> httpx.Response:
    """The answer after all redirects, its body unread. A token is not shown to any other host: httpx takes it out."""
    try:
        request = http.build_request("GET", address, headers=headers)
    except httpx.InvalidURL as error:
        raise ModelError(f"{printable(address)} is no address: {error}.", advice="Correct it.") from error
    for _ in range(_MOST_REDIRECTS):
        response = http.send(request, stream=True)
        if response.next_request is None:
            return response
        response.close()
        if request.url.scheme == "https" and response.next_request.url.scheme != "https":
            what = f"{request.url.host} leads to an address that is not protected: {shown(response.next_request.url)}."
            raise ModelError(what, advice="Do not trust this network or mirror; take another.")
        request = response.next_request
    raise ModelError(f"{printable(address)} leads from one address to the next and never to a file.", advice="Check the mirror.")


def _check_room(part: Part, total: int | None, more: int) -> None:
    folder = next(each for each in part.path.parents if each.is_dir())
    free, needed = files.free_bytes(folder), (total or 0) - part.length + more
    if needed > free:
        raise DiskFull(f"{size(needed)} more are needed, and {size(free)} are free.", file=str(folder))


def _body(response: httpx.Response, part: Part, total: int | None, display: Display) -> Iterator[bytes]:
    """What comes, piece by piece, with the progress told; no more than it may be."""
    display.advance(part.path.name, part.length, total)
    for chunk in response.iter_raw():
        if total is not None and part.length + len(chunk) > total:
            part.discard()
            what = f"The file at {shown(response.url)} is longer than the {total} bytes it should have."
            raise ModelError(what, advice="Check the mirror, or the address after --from.")
        yield chunk
        display.advance(part.path.name, part.length, total)


def _wait(error: Exception, failures: int) -> float | None:
    """Seconds until the next attempt, None when there is to be none."""
    asked = _asked(error)
    hopeless = isinstance(error, httpx.UnsupportedProtocol) or _certificate_problem(error) is not None
    if failures >= _TRIES or hopeless or asked > _LONGEST_WAIT:
        return None
    return max(2.0 ** (failures - 1), asked)


def _asked(error: Exception) -> float:
    return (error.wait or 0.0) if isinstance(error, Broken) else 0.0


def _unreachable(address: str, error: Exception) -> ModelUnreachable:
    url = httpx.URL(address)
    if (problem := _certificate_problem(error)) is not None:
        advice = "If your network has an authority of its own, name the file with its certificates in SSL_CERT_FILE; check the clock too."
        return ModelUnreachable(f"{url.host} cannot prove that it is {url.host}: {problem}.", advice=advice)
    if (asked := _asked(error)) > _LONGEST_WAIT:
        return ModelUnreachable(f"{_words(error)} and asks to be left alone for {asked / 60:.0f} minutes.", advice="Try again then.")
    if isinstance(error, httpx.UnsupportedProtocol):
        return ModelUnreachable(f"{shown(url)} leads to an address of a kind that cannot be fetched.", advice="Check the mirror.")
    advice = "Check the network (HTTPS_PROXY names a proxy) and give the same command again; what has come is kept. Offline, use --from."
    return ModelUnreachable(f"{_words(error)}, {_TRIES} times in a row: {shown(url)}.", advice=advice)


def _certificate_problem(error: BaseException | None) -> str | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return None


def _words(error: Exception) -> str:
    """What went wrong, as the beginning of a sentence."""
    if isinstance(error, Broken):
        return str(error)
    if isinstance(error, httpx.TimeoutException):
        return "The server does not answer in time"
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return f"The server cannot be reached ({printable(str(error)) or 'nobody says why'})"
    return "The connection broke off"
