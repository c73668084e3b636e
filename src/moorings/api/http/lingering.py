"""Receives the rest of a request's body after the request was refused.

A server that answers while the client still sends its body closes the connection: the client may never read the answer,
or loses its next request on that connection. So the rest of the body is received and discarded first, within limits;
beyond them the answer has `Connection: close`.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 32 * 1024 * 1024
MAX_SECONDS = 10.0
TOO_SLOW = 408
"""The status for a request whose body took too long."""
WITHOUT_BODY = ("GET", "HEAD")


class DrainRequestMiddleware:
    """An ASGI app whose answers wait until the request has been received to its end."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http" or scope["method"] in WITHOUT_BODY or _waits_for_leave(scope):
            await self._inner(scope, receive, send)
            return
        body = _Body(receive)

        async def send_after_body(message: Message) -> None:
            if message["type"] != "http.response.start":
                await send(message)
                return
            if message["status"] == TOO_SLOW or not await body.discard():
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        try:
            await self._inner(scope, body.receive, send_after_body)
        finally:
            body.release()


def _waits_for_leave(scope: Scope) -> bool:
    """Whether the client waits for `100 Continue` before it sends its body: it needs no draining."""
    return any(name == b"expect" for name, _ in scope["headers"])


async def _disconnected() -> Message:
    return {"type": "http.disconnect"}


class _Body:
    """A request's body on its way."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False
        self._left = False

    def release(self) -> None:
        """Drop the server's request: an error's traceback may still refer to this body."""
        self._receive = _disconnected

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._left = True
        elif not message.get("more_body", False):
            self._ended = True
        return message

    async def discard(self) -> bool:
        """Receive the rest; False for a client that sends more than `MAX_BYTES`, sends too slowly, or never ends."""
        received = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MAX_SECONDS):
                while not (self._ended or self._left) and received < MAX_BYTES:
                    received += len((await self.receive()).get("body", b""))
        return self._ended
