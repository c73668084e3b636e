"""Requests of a tool to the service's own API, in the same process, with the caller's own Authorization header."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.types import ASGIApp, Message, Scope

from moorings.access.admission import OVER_MCP
from moorings.errors import MooringsError

MAX_ANSWER_BYTES = 8 * 1024 * 1024
CODE = b"moorings-error-code"
FORWARDED = (b"authorization", b"x-forwarded-for", b"user-agent", b"traceparent")
"""The headers of the agent's request that the tool's requests have too."""


class ToolFailed(Exception):  # named for what happened
    """The tool cannot answer. The message is for the agent; `detail` is text of the service or the database."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.message, self.detail = message, detail


@dataclass(slots=True)
class _Exchange:
    """One request to the app, and what it has answered so far."""

    body: bytes
    gone: asyncio.Event
    status: int = 0
    code: str = ""
    answer: bytearray = field(default_factory=bytearray)
    sent: bool = False

    async def receive(self) -> Message:
        if not self.sent:
            self.sent = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.code = next((value.decode() for name, value in message["headers"] if name == CODE), "")
        else:
            self.answer += message.get("body", b"")
            if len(self.answer) > MAX_ANSWER_BYTES:
                self.gone.set()
                raise ToolFailed("The answer is too large. Ask for fewer rows, or for fewer and shorter columns.")


class Api:
    """The service's API, as the caller of one request to `/mcp` may use it."""

    def __init__(self, app: ASGIApp, outer: Scope) -> None:
        self._app = app
        self._outer = outer

    async def get(self, path: str, **query: str | int | None) -> Any:
        """The JSON answer of a GET; raises ToolFailed."""
        return await self._ask("GET", path, query)

    async def post(self, path: str, body: Mapping[str, Any], **query: str | int | None) -> Any:
        """The JSON answer of a POST; raises ToolFailed."""
        return await self._ask("POST", path, query, json.dumps(body).encode())

    async def _ask(self, method: str, path: str, query: Mapping[str, str | int | None], body: bytes = b"") -> Any:
        sent = {name: value for name, value in query.items() if value is not None}
        exchange = _Exchange(body, asyncio.Event())
        try:
            await self._app(self._scope(method, path, urlencode(sent), len(body)), exchange.receive, exchange.send)
        except MooringsError as broken:  # the app has logged it; the agent must not take a part for the whole
            raise ToolFailed("The answer broke off. Try again.", str(broken)) from None
        finally:
            exchange.gone.set()
        answer = json.loads(exchange.answer or b"null")
        if exchange.status >= 400:
            if exchange.code == "read_only":
                raise ToolFailed("This tool only reads, on every connection. The statement would write.")
            code = f" and code {exchange.code}" if exchange.code else ""
            raise ToolFailed(f"The service answered with status {exchange.status}{code}.", answer["detail"])
        return answer

    def _scope(self, method: str, path: str, query: str, length: int) -> Scope:
        headers = [(name, value) for name, value in self._outer["headers"] if name in FORWARDED]
        headers += [(b"accept", b"application/json"), (b"content-length", b"%d" % length)]
        if length:
            headers.append((b"content-type", b"application/json"))
        location = f"/api/v1{path}"
        return {
            "type": "http",
            "asgi": self._outer["asgi"],
            "http_version": "1.1",
            "method": method,
            "scheme": self._outer["scheme"],
            "path": location,
            "raw_path": location.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": headers,
            "client": self._outer.get("client"),
            "server": self._outer.get("server"),
            OVER_MCP: True,
        }
