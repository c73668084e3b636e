"""Pages of a list: so many records, and a cursor for the next ones.

A cursor is opaque to clients. It holds the sort key and the id of the last record, so that a page begins where the one
before it ended, whatever was added or removed meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

from moorings.api.fields import Fields
from moorings.api.routing import Parameter
from moorings.api.shapes import PageInfo

PAGE_SIZE, LARGEST_PAGE = 20, 100
LONGEST_CURSOR = 1000

PARAMETERS = (
    Parameter("cursor", {"type": "string"}, "`nextCursor` of the page before; the first page without it."),
    Parameter(
        "pageSize",
        {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE},
        f"Records of a page; {PAGE_SIZE} unless said.",
    ),
)
"""What every list with pages takes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page: after which instant and id, and how many records."""

    after: tuple[int, str] | None
    size: int


def asked(fields: Fields) -> Asked:
    """What a query asks for; faults are noted in `fields`."""
    size = fields.whole("pageSize", least=1, most=LARGEST_PAGE)
    cursor = fields.string("cursor", shortest=0, longest=LONGEST_CURSOR)
    after = _decoded(cursor) if cursor else None
    if cursor and after is None:
        fields.fault("cursor", "invalid")
    return Asked(after, size or PAGE_SIZE)


def info(found: Sequence[tuple[int, str]], wanted: Asked, total: int) -> PageInfo:
    """What is to be said about a page; `found` are the places of one record more than it has, if there are more."""
    more = len(found) > wanted.size
    cursor = _encoded(found[wanted.size - 1]) if more else None
    return PageInfo(has_next_page=more, next_cursor=cursor, page_size=wanted.size, total_records=total)


def _encoded(place: tuple[int, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _decoded(cursor: str) -> tuple[int, str] | None:
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor))
        instant, record = place
    except (ValueError, TypeError, binascii.Error, RecursionError):
        return None
    known = isinstance(instant, int) and abs(instant) < 2**53 and isinstance(record, str) and "\0" not in record
    return (instant, record) if known else None
