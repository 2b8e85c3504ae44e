"""What headers say, whoever wrote them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trax.models.answers import continues, length, retry_after, shown, validator
from trax.models.part import Origin

NOW = datetime(2026, 11, 22, 19, 5, 12, tzinfo=UTC)
anything = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


def answer(**headers: str) -> httpx.Response:
    return httpx.Response(200, headers={name.replace("_", "-"): value for name, value in headers.items()})


@given(anything)
def test_whatever_a_server_writes_is_read_or_left_out(text):
    response = answer(retry_after=text, content_range=text, etag=text, last_modified=text)
    wait = retry_after(response, NOW)
    assert wait is None or wait >= 0
    assert isinstance(continues(response, Origin("a", '"v"', 10), 5), bool)
    assert not validator(response) or not text.strip().startswith("W/")
    assert length(httpx.Response(200, headers={"Content-Length": text})) in {None, *([int(text)] if text.isdecimal() else [])}


@given(st.integers(0, 10**6))
def test_a_wait_may_be_written_as_seconds_or_as_a_date(seconds):
    assert retry_after(answer(retry_after=str(seconds)), NOW) == seconds
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after(answer(retry_after=date), NOW) == seconds
    assert retry_after(answer(retry_after=date), NOW + timedelta(days=30)) == 0


@given(st.integers(1, 10**12), st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_piece_goes_on_only_where_it_begins_at_the_end_of_what_is_there(size, start, have):
    response = answer(content_range=f"bytes {start}-{size - 1}/{size}", etag='"v"')
    assert continues(response, Origin("a", '"v"', size), have) == (start == have)
    assert not continues(response, Origin("a", '"v"', size + 1), have)
    assert not continues(response, Origin("a", '"w"', size), have)


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"etag": '"v"', "last_modified": "Sun"}, '"v"'),
        ({"last_modified": "Sun"}, "Sun"),
        ({"etag": 'W/"v"', "last_modified": "Sun"}, ""),
        ({}, ""),
    ],
)
def test_a_version_is_named_strongly_or_not_at_all(headers, name):
    assert validator(answer(**headers)) == name


def test_what_is_a_key_in_an_address_is_not_shown():
    assert shown(httpx.URL("https://me:hush@cdn.example/f.bin?Signature=hush#x")) == "https://cdn.example/f.bin"
