"""What a server's answer means to whoever fetches a file (RFC 9110): judgements on its status and headers. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from trax.errors import ModelError
from trax.models.part import Origin
from trax.text import printable

_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_WHO_ARE_YOU = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
_PAGES = {"text/html", "application/xhtml+xml"}
_CHECK = "Check the mirror, or the address after --from."


class Broken(Exception):
    """It did not work now and may work later. `wait` is what the server asks for, in seconds."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


def check_file(response: httpx.Response, *, had_token: bool) -> None:
    """Whether the answer is a file or a piece of one, as it was asked for.

    Raises Broken when the server may give it later, ModelError in words when it will not.
    """
    status, where = response.status_code, shown(response.url)
    answers = f"{where} answers {status} {printable(response.reason_phrase)}".rstrip()
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Broken(answers, retry_after(response, datetime.now(UTC)))
    if status in _WHO_ARE_YOU:
        does = "does not accept the token" if had_token else "does not give it to everybody"
        advice = "Check the address. A gated model wants its terms accepted on its page, and your token in HUGGINGFACE_TOKEN."
        raise ModelError(f"{where} {does} ({status}).", advice=advice)
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        raise ModelError(f"There is no file at {where} ({status}).", advice=_CHECK)
    if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        raise ModelError(f"{answers}.", advice=_CHECK)
    if response.headers.get("Content-Type", "").partition(";")[0].strip().lower() in _PAGES:
        advice = "Open it in a browser: it may be the page to log in of a network or a proxy."
        raise ModelError(f"{where} answers with a web page in place of the file.", advice=advice)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ModelError(f"{where} sends the file packed, which it was asked not to.", advice=_CHECK)


def check_length(response: httpx.Response, expected: int | None) -> None:
    """Whether a whole file is as long as it has to be (bytes), as far as the server tells. Raises ModelError."""
    total = length(response)
    if total == 0 or (total is not None and expected is not None and total != expected):
        known = f" and not the {expected} that the catalogue knows" if expected else ""
        raise ModelError(f"The file at {shown(response.url)} has {total} bytes{known}.", advice=_CHECK)


def continues(response: httpx.Response, origin: Origin, have: int) -> bool:
    """Whether a 206 brings what comes after the first `have` bytes of the very file that a part belongs to."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip(), re.ASCII)
    if found is None or int(found[1]) != have or not (origin.size is None or found[2] in {"*", str(origin.size)}):
        return False
    return validator(response) in {"", origin.validator}


def length(response: httpx.Response) -> int | None:
    """The length of the body in bytes, None where the server does not tell."""
    text = response.headers.get("Content-Length", "")
    return int(text) if re.fullmatch("[0-9]+", text) else None


def validator(response: httpx.Response) -> str:
    """What names this version of the file in `If-Range`: its strong ETag, else when it was modified; "" where there is neither.

    A weak ETag names versions that need not be the same byte for byte, and what has one goes by nothing else.
    """
    etag: str = response.headers.get("ETag", "").strip()
    modified: str = response.headers.get("Last-Modified", "").strip()
    return etag if etag.startswith('"') else "" if etag else modified


def retry_after(response: httpx.Response, now: datetime) -> float | None:
    """The seconds that a server asks to wait, which it may write as a date."""
    text = response.headers.get("Retry-After", "").strip()
    if re.fullmatch("[0-9]+", text):
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):  # no date, or one without its zone
        return None


def shown(url: httpx.URL) -> str:
    """An address that may be shown and kept: what stands behind the question mark of a redirect is a key to the file."""
    return printable(str(url.copy_with(query=None, fragment=None, userinfo=b"")))
