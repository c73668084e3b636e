"""MCP over standard input and output: passes the messages on to `/mcp` of a service, with the caller's key."""

from __future__ import annotations

import asyncio
from typing import Any

from moorings.errors import OperatorError

PING = {"jsonrpc": "2.0", "id": 0, "method": "ping"}
ACCEPT = "application/json, text/event-stream"


async def bridge(url: str, key: str) -> None:
    """Pass messages in both directions until standard input ends and the last request is answered.

    Raises OperatorError if the service cannot be reached or refuses the key: before the first message, so that the
    person who configures the agent reads it.
    """
    import httpx2

    timeout = httpx2.Timeout(30.0, read=600.0)
    headers = {"authorization": f"Bearer {key}"}
    try:
        async with httpx2.AsyncClient(headers=headers, timeout=timeout) as client:
            answer = await client.post(f"{url}/mcp", json=PING, headers={"accept": ACCEPT})
            if not answer.is_success:
                raise OperatorError(f"{url}/mcp answered with status {answer.status_code}: {answer.text[:500]}")
            await _pass_on(f"{url}/mcp", client)
    except httpx2.TransportError as failed:
        raise _unreachable(url, failed) from None
    except BaseExceptionGroup as several:
        lost = several.subgroup(httpx2.TransportError)
        if lost is None:
            raise
        raise _unreachable(url, lost.exceptions[0]) from None


def _unreachable(url: str, failed: BaseException) -> OperatorError:
    return OperatorError(f"{url} cannot be reached ({type(failed).__name__}). Check MOORINGS_URL and the service")


async def _pass_on(url: str, client: Any) -> None:
    from mcp.client.streamable_http import streamable_http_client
    from mcp.server.stdio import stdio_server

    async with (
        streamable_http_client(url, http_client=client) as (answers, requests),
        stdio_server() as (typed, printed),
    ):
        pending: set[Any] = set()
        idle = asyncio.Event()

        async def back() -> None:
            async for answer in answers:
                if isinstance(answer, Exception):
                    continue
                await printed.send(answer)
                pending.discard(getattr(answer.message, "id", None))
                if not pending:
                    idle.set()

        backward = asyncio.create_task(back())
        async for request in typed:
            if isinstance(request, Exception):  # a line that is no message
                continue
            if (number := getattr(request.message, "id", None)) is not None:
                pending.add(number)
                idle.clear()
            await requests.send(request)
        if pending:
            await asyncio.wait({backward, asyncio.ensure_future(idle.wait())}, return_when=asyncio.FIRST_COMPLETED)
        backward.cancel()
        await asyncio.wait({backward})
        await printed.aclose()  # else the SDK's writer waits for more
