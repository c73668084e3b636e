"""The baseline of the lists: an ASGI app that answers one file's bytes, on Granian, started as the service starts it.

Run as `python -m benchmarks.bare PORT FILE`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

LIMIT_HEADERS = [
    (b"ratelimit-limit", b"1000000000"),
    (b"ratelimit-remaining", b"999999999"),
    (b"ratelimit-reset", b"9"),
]


def app_for(body: bytes) -> Any:
    """Answers every request with these bytes, and as many headers as the service sends."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *LIMIT_HEADERS]

    async def app(scope: dict[str, Any], _: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return app


async def serve(port: int, body: bytes) -> None:
    """Serve until the process is ended."""
    server = Server(app_for(body), port=port, interface=Interfaces.ASGI, websockets=False, backlog=1024)
    await server.serve()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2]).read_bytes()))
