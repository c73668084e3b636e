"""What several resources have in common."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Done(TypedDict):
    """The change is made."""

    success: NotRequired[bool]


class Changed(TypedDict):
    """The change is made. `message` says what changed, `warnings` who now gets another connection."""

    success: NotRequired[bool]
    message: str
    warnings: NotRequired[list[str]]


class PageInfo(TypedDict):
    """The position of a page in its list."""

    hasNextPage: bool
    nextCursor: str | None
    pageSize: int
    totalRecords: int
