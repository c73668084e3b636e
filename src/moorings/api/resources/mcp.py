"""The endpoint `/mcp`: checks a request's origin, key and rate limit, and leaves its messages to the MCP server."""

from __future__ import annotations

import asyncio
import re

import msgspec
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moorings.access.policy import Scope as KeyScope
from moorings.api.http import auth, exchange, problems
from moorings.api.http.call import Call, Headers, Rendered, Reply
from moorings.api.http.routing import received
from moorings.api.http.state import Services
from moorings.db import UNREAD
from moorings.distribution import install_command
from moorings.errors import ExtraMissing, ForeignOrigin, MooringsError

PATH = "/mcp"
LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?", re.IGNORECASE)
_encode = msgspec.json.Encoder().encode


class McpEndpoint:
    """Serves `/mcp`. `messages` answers the requests that are let in; it has no sessions, so only POST is served."""

    def __init__(self, services: Services, messages: ASGIApp) -> None:
        self._services = services
        self._messages = messages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        observed = exchange.of(scope)
        observed.route = PATH
        call = Call(self._services, scope, receive, send, auth.NOBODY, UNREAD)
        headers: Headers = []
        reply = await self._reply(call, headers)
        observed.actor = call.actor
        if reply is not None:
            await reply.send(call, headers)

    async def _reply(self, call: Call, headers: Headers) -> Reply | None:
        """The response; None if the MCP server has sent it."""
        if call.scope["method"] != "POST":
            refused = problems.Problem("Method not allowed. MCP messages are sent by POST", 405)
            return Rendered(_encode(refused), 405, [(b"allow", b"POST")])
        try:
            _require_own_origin(call)
            await auth.identify(call, headers, (KeyScope.MCP,))
            body = await received(call)
            await _answered(self._messages, call, headers, body)
        except ModuleNotFoundError as missing:
            return self._refused(ExtraMissing(missing.name or "mcp", install_command("mcp")))
        except MooringsError as refused:
            return self._refused(refused)
        return None

    def _refused(self, refused: MooringsError) -> Rendered:
        found = problems.problem(refused)
        return Rendered(_encode(found), found.status, problems.headers(refused))


def route(services: Services, messages: ASGIApp) -> Route:
    """The route of `/mcp`."""
    return Route(PATH, McpEndpoint(services, messages))


def _require_own_origin(call: Call) -> None:
    """Raise ForeignOrigin for requests of web pages that the operator does not allow.

    A page whose name resolves to this machine (DNS rebinding) sends its own Origin and Host. Other clients send no
    Origin. Without a proxy, a service on a loopback address has loopback names only.
    """
    settings = call.services.settings
    origin = (call.header(b"origin") or b"").decode("latin-1")
    if origin and origin.rstrip("/") not in settings.mcp_origin_list:
        raise ForeignOrigin(f"Origin {_shown(origin)} is not allowed. Add it to MOORINGS_MCP_ORIGINS")
    host = (call.header(b"host") or b"").decode("latin-1")
    listens = f"[{settings.host}]" if ":" in settings.host else settings.host
    if LOOPBACK.fullmatch(listens) and not settings.trusted_proxies and not LOOPBACK.fullmatch(host):
        raise ForeignOrigin(
            f"Host {_shown(host)} is not allowed: this service listens on {settings.host}. Behind a reverse proxy, set"
            " MOORINGS_TRUSTED_PROXIES"
        )


def _shown(header: str) -> str:
    return repr(header[:100])


async def _answered(messages: ASGIApp, call: Call, headers: Headers, body: bytes) -> None:
    """Let the MCP server answer; it is stopped when the client disconnects."""
    pending, gone = [body], asyncio.Event()

    async def receive() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *headers]
        await call.send(message)

    answering = asyncio.ensure_future(messages(call.scope, receive, send))
    leaving = asyncio.ensure_future(_disconnected(call))
    await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
    gone.set()
    for task in (leaving, answering):
        if not task.done():
            task.cancel()
    await asyncio.wait({answering, leaving})
    if not answering.cancelled():
        answering.result()


async def _disconnected(call: Call) -> None:
    while (await call.receive())["type"] != "http.disconnect":
        pass
