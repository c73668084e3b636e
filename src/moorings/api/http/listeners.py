"""Keeps metrics on a listener of their own, where the operator has set one."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from moorings.api.http.routing import not_found

METRICS = "/metrics"
MONITORING = frozenset({METRICS, "/livez", "/readyz"})
"""The paths of that listener."""


class MetricsListener:
    """An ASGI app whose metrics are on one port, which has nothing else but probes."""

    def __init__(self, inner: ASGIApp, port: int) -> None:
        self._inner = inner
        self._port = str(port)
        """Granian has ports as text."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] == "http" and not self._has(scope):
            await not_found(scope, receive, send)
        else:
            await self._inner(scope, receive, send)

    def _has(self, scope: Scope) -> bool:
        _, port = scope.get("server") or ("", None)
        return scope["path"] in MONITORING if str(port) == self._port else scope["path"] != METRICS
