"""One request from its arrival to its last byte: its id, and its entries in log, metrics and traces.

This is the outermost app, so that every answer has the id, also answers to unknown paths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moorings import clock
from moorings.api.http.access_log import AccessLog
from moorings.api.http.client_address import Networks, client_address
from moorings.telemetry import current, metrics, tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from moorings.access.service import Actor

REQUEST_ID = "Moorings-Request-Id"
_HEADER = REQUEST_ID.lower().encode()
KEY = "moorings.exchange"
"""The key of the exchange in the ASGI scope."""
LONGEST_PATH = 200


class Exchange:
    """A request and its response. The endpoint and the handler add details that only they know."""

    __slots__ = ("_send", "actor", "id", "ids", "query_id", "route", "scope", "span", "sql", "started", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        self.id = current.new_request_id()
        self.started = clock.monotonic()
        self.scope = scope
        self.status = 0
        self.route = ""
        self.actor: Actor | None = None
        self.ids: Any = None
        self.query_id = ""
        self.sql = ""
        self.span: Span | None = None
        self._send = send

    async def send(self, message: Message) -> None:
        """Pass an answer on, with the id."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], (_HEADER, self.id.encode())]
        await self._send(message)

    def release(self) -> None:
        """Drop the references to the server's objects.

        The server closes a connection whose request was not received to its end once nothing refers to the
        request any more. Without this it would wait for the garbage collector, because scope and exchange refer to
        each other.
        """
        self._send = _sent_too_late
        del self.scope[KEY]

    @property
    def where(self) -> dict[str, str]:
        """The route, or the path of a request without a route."""
        return {"route": self.route} if self.route else {"path": self.scope["path"][:LONGEST_PATH]}


async def _sent_too_late(message: Message) -> None:
    raise RuntimeError("an answer was sent after its request had ended")


def of(scope: Scope) -> Exchange:
    """The exchange of a request."""
    return cast("Exchange", scope[KEY])


class Exchanges:
    """An ASGI app whose requests are observed."""

    def __init__(self, inner: ASGIApp, log: AccessLog | None, trusted: Networks) -> None:
        self._inner = inner
        self._log = log
        self._trusted = trusted
        self._active = 0
        metrics.active_requests.set_function(lambda: self._active)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        exchange = Exchange(scope, send)
        scope[KEY] = exchange
        current.request_id.set(exchange.id)
        if tracing.is_on():
            self._begin_span(exchange)
        failure: BaseException | None = None
        self._active += 1
        try:
            await self._inner(scope, receive, exchange.send)
        except BaseException as broken:
            failure = broken
            raise
        finally:
            self._active -= 1
            self._note(exchange, failure)
            exchange.release()

    def _begin_span(self, exchange: Exchange) -> None:
        scope = exchange.scope
        sent = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
        exchange.span = tracing.begin(
            scope["method"],
            "server",
            sent.decode("latin-1").strip() or None,
            http__request__method=scope["method"],
            url__path=scope["path"][:LONGEST_PATH],
            url__scheme=scope.get("scheme", "http"),
            client__address=client_address(scope, self._trusted),
            moorings__request_id=exchange.id,
        )
        tracing.root(exchange.span)

    def _note(self, exchange: Exchange, failure: BaseException | None) -> None:
        method, seconds = exchange.scope["method"], clock.monotonic() - exchange.started
        metrics.requests.observe(method, exchange.route, exchange.status, seconds)
        if self._log is not None:
            self._log.note(self._facts(exchange, method, seconds, failure))
        if exchange.span is not None:
            self._end_span(exchange, failure)

    def _facts(self, exchange: Exchange, method: str, seconds: float, failure: BaseException | None) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "request_id": exchange.id,
            "method": method,
            **exchange.where,
            "status": exchange.status,
            "milliseconds": round(seconds * 1000, 2),
            "client": client_address(exchange.scope, self._trusted),
        }
        if exchange.actor is not None and exchange.actor.key_id:
            facts["key_id"] = exchange.actor.key_id
            if exchange.actor.user_id:
                facts["user_id"] = exchange.actor.user_id
        if exchange.ids:
            facts |= exchange.ids
        for name, value in (("query_id", exchange.query_id), ("sql", exchange.sql)):
            if value:
                facts[name] = value
        if exchange.span is not None:
            facts["trace_id"] = tracing.trace_id(exchange.span)
        if failure is not None:
            facts["broken_off"] = type(failure).__name__
        return facts

    def _end_span(self, exchange: Exchange, failure: BaseException | None) -> None:
        span = exchange.span
        assert span is not None  # noqa: S101
        if exchange.route:
            span.update_name(f"{exchange.scope['method']} {exchange.route}")
            span.set_attribute("http.route", exchange.route)
        reason = failure or (str(exchange.status) if exchange.status >= 500 else None)
        known = {"moorings__query_id": exchange.query_id} if exchange.query_id else {}
        tracing.end(span, reason, http__response__status_code=exchange.status, **known)
