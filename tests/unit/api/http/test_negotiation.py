"""Which format an Accept header chooses."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorings.api.http.negotiation import ARROW, CSV, JSON, NDJSON, Choice, choose
from moorings.errors import NotAcceptable


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, ARROW),
        ("", ARROW),
        ("*/*", ARROW),
        (ARROW, ARROW),
        ("application/json", JSON),
        ("APPLICATION/JSON; charset=utf-8", JSON),
        ("application/x-ndjson", NDJSON),
        ("text/csv", CSV),
        ("text/*", CSV),
        ("application/*", ARROW),
        ("application/json;q=0.5, text/csv;q=0.9", CSV),
        ("application/json;q=0.5, text/csv;q=0.4, */*;q=0.1", JSON),
        ("*/*;q=0.9, text/csv;q=0.1", ARROW),
        (f"*/*, {ARROW};q=0", JSON),
        ("application/*;q=0, */*", CSV),
        ("text/html, application/xhtml+xml, */*;q=0.8", ARROW),
        ("text/csv, application/json", CSV),
        # What browsers' libraries send on their own: named more exactly than the wildcard behind it.
        ("application/json, text/plain, */*", JSON),
        ("image/png, text/csv", CSV),
        (",, text/csv ,", CSV),
        ('text/csv;note="a, b;q=0", application/json;q=0.9', CSV),
    ],
)
def test_the_best_of_what_is_accepted(accept: str | None, chosen: str):
    assert choose(accept).media_type == chosen


@pytest.mark.parametrize(
    "accept", ["image/png", "application/json;q=0", "*/*;q=0", "text", "application/json;q=x", "application/json;q=2"]
)
def test_nothing_of_ours(accept: str):
    with pytest.raises(NotAcceptable):
        choose(accept)


@pytest.mark.parametrize(
    ("accept", "codec"),
    [
        (f"{ARROW};codecs=lz4", "lz4"),
        (f"{ARROW}; codecs=ZSTD", "zstd"),
        (f'{ARROW}; codecs="zstd, lz4"', "zstd"),
        (f'{ARROW}; codecs="brotli,lz4"; q=0.5, text/html', "lz4"),
        (f"{ARROW};codecs=brotli", None),
        (f"{ARROW}", None),
        ("text/csv;codecs=lz4;q=0.1, */*", None),
    ],
)
def test_codecs_of_arrow(accept: str, codec: str | None):
    assert choose(accept) == Choice(ARROW, codec)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='*/,;="\\ qjson.01texcv+\x00é'))
def test_anything_chooses_a_format_or_is_refused(accept: str):
    with contextlib.suppress(NotAcceptable):
        choose(accept)


@pytest.mark.parametrize("accept", ['"' * 50_000, '"\\"' * 20_000 + "\\", ";" * 50_000, "," * 50_000, "a;" * 20_000])
def test_long_nonsense_is_refused_quickly(accept: str):
    started = time.monotonic()
    with pytest.raises(NotAcceptable):
        choose(accept)
    assert time.monotonic() - started < 1
