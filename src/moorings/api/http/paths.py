"""Restores paths as they were sent: an escaped slash is a part of a segment, not a separator."""

from __future__ import annotations

import re
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

ESCAPED_SLASH = re.compile(rb"%2f", re.IGNORECASE)


class SegmentedPaths:
    """An ASGI app whose routes get `%2F` where the client escaped a slash; servers decode the path before routing."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        raw: bytes = scope.get("raw_path") or b""
        if ESCAPED_SLASH.search(raw):
            escaped = ESCAPED_SLASH.sub(b"%252F", raw.partition(b"?")[0])
            scope = {**scope, "path": unquote(escaped.decode("latin-1"), errors="replace")}
        await self._inner(scope, receive, send)
