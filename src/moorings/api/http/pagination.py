"""Pages of a list: a number of records, and a cursor for the next page.

A cursor is opaque to clients. It contains the sort key of the last record, so that a page begins where the previous one
ended, even if records were added or removed meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from moorings.api.http.answers import Shape
from moorings.api.http.call import Parameter
from moorings.api.http.fields import Fields, encodable

PAGE_SIZE, MAX_PAGE_SIZE = 20, 100
MAX_CURSOR_LENGTH = 16_000  # some contain names of tables

PARAMETERS = (
    Parameter("cursor", {"type": "string"}, "`nextCursor` of the previous page. Leave it out for the first page."),
    Parameter(
        "pageSize",
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE},
        f"Records per page. Default: {PAGE_SIZE}.",
    ),
)
"""The query parameters of every paginated list."""


DIRECTIONS = ("asc", "desc")
DIRECTION = Parameter("sortDirection", {"enum": list(DIRECTIONS)}, "`desc` by default.")

Place = tuple[int | str, ...]
"""The sort key of one record in a list; it is unique."""

BY_INSTANT: tuple[type, ...] = (int, str)
"""The types of a place in a list sorted by an instant, then by id."""


BY_NAME: tuple[type, ...] = (str, str)
"""The types of a place in a list sorted by a name, then by id."""


class PageInfo(Shape, kw_only=True):
    """The position of a page in its list."""

    has_next_page: bool
    next_cursor: str | None
    page_size: int
    total_records: int


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The requested page: the place after which it begins, and the number of records."""

    after: tuple[Any, ...] | None
    size: int


def page_request(fields: Fields, places: tuple[type, ...] = BY_INSTANT) -> PageRequest:
    """The page that a query asks for, in a list whose places have these types; adds faults to `fields`."""
    size = fields.whole("pageSize", least=1, most=MAX_PAGE_SIZE)
    cursor = fields.string("cursor", shortest=0, longest=MAX_CURSOR_LENGTH)
    after = _decoded(cursor, places) if cursor else None
    if cursor and after is None:
        fields.fault("cursor", "invalid")
    return PageRequest(after, size or PAGE_SIZE)


def info(found: Sequence[Place], page: PageRequest, total: int) -> PageInfo:
    """The PageInfo of a page; `found` has one place more than the page if more records follow."""
    more = len(found) > page.size
    cursor = _encoded(found[page.size - 1]) if more else None
    return PageInfo(has_next_page=more, next_cursor=cursor, page_size=page.size, total_records=total)


def _encoded(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":"), ensure_ascii=False).encode()).decode()


def _decoded(cursor: str, places: tuple[type, ...]) -> tuple[Any, ...] | None:
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        return None
    if not isinstance(place, list):
        return None
    parts = cast("list[object]", place)
    return tuple(parts) if len(parts) == len(places) and all(map(_is, parts, places)) else None


def _is(part: object, kind: type) -> bool:
    """Whether a part of a place has the right type, and can be compared with stored values."""
    if type(part) is not kind:
        return False
    if isinstance(part, int):
        return abs(part) < 2**53
    return isinstance(part, str) and "\0" not in part and encodable(part)
