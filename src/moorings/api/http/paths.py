"""Paths as they were sent: an escaped slash belongs to a segment, and parts none."""

from __future__ import annotations

import re
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

ESCAPED_SLASH = re.compile(rb"%2f", re.IGNORECASE)


class SegmentedPaths:
    """An ASGI app whose routes see `%2F` where the client escaped a slash; a server decodes it before they look."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        raw: bytes = scope.get("raw_path") or b""
        if ESCAPED_SLASH.search(raw):
            escaped = ESCAPED_SLASH.sub(b"%252F", raw.partition(b"?")[0])
            scope = {**scope, "path": unquote(escaped.decode("latin-1"), errors="replace")}
        await self._inner(scope, receive, send)
