"""The second baseline of the queries: a bare ASGI app that streams, as Arrow, what the driver reads.

Run as `python -m benchmarks.bare_stream PORT DIALECT ADDRESS SQL`, the address being JSON. It shows what HTTP itself
costs on the machine: the same driver, batches and server, with one batch read while another is sent, but no key, limit,
timeout, cancel, conversion or row limit.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from benchmarks.drivers import ALONE, Read


def encoded(batches: Iterable[Any]) -> Iterator[bytes]:
    """An Arrow stream, batch by batch; the schema comes with the first one."""
    file = io.BytesIO()
    writer: pa.ipc.RecordBatchStreamWriter | None = None
    for batch in batches:
        writer = writer or pa.ipc.new_stream(file, batch.schema)
        writer.write_batch(batch)
        yield file.getvalue()
        file.seek(0)
        file.truncate()
    if writer is not None:
        writer.close()
    yield file.getvalue()


def app_for(read: Read, thread: ThreadPoolExecutor) -> Any:
    """Answers `/health` with nothing, and every other path with the whole result."""

    async def stream(send: Any) -> None:
        loop = asyncio.get_running_loop()
        chunks = await loop.run_in_executor(thread, lambda: encoded(read()))
        ahead = loop.run_in_executor(thread, next, chunks, None)
        while (chunk := await ahead) is not None:
            ahead = loop.run_in_executor(thread, next, chunks, None)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def app(scope: dict[str, Any], _: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            if scope["path"] != "/health":
                await stream(send)
            await send({"type": "http.response.body", "body": b""})

    return app


async def serve(port: int, read: Read, thread: ThreadPoolExecutor) -> None:
    """Serve until the process is ended."""
    server = Server(app_for(read, thread), port=port, interface=Interfaces.ASGI, websockets=False, backlog=1024)
    await server.serve()


def main(port: str, dialect: str, address: str, sql: str) -> None:
    """Log in and serve, the driver in a thread of its own."""
    with ThreadPoolExecutor(1) as thread, ALONE[dialect](json.loads(address), sql) as read:
        uvloop.run(serve(int(port), read, thread))


if __name__ == "__main__":
    main(*sys.argv[1:])
