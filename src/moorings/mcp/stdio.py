"""MCP over standard input and output: passes the messages on to `/mcp` of a service, with the caller's key."""

from __future__ import annotations

import asyncio
from typing import Any


async def bridge(url: str, key: str) -> None:
    """Pass messages in both directions until standard input ends and the last request is answered."""
    import httpx2
    from mcp.client.streamable_http import streamable_http_client
    from mcp.server.stdio import stdio_server

    timeout = httpx2.Timeout(30.0, read=600.0)
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout) as client,
        streamable_http_client(f"{url}/mcp", http_client=client) as (answers, requests),
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
