"""Shares metrics between the worker processes of one `serve`: each has a socket in a common folder."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from moorings.telemetry import metrics

ANSWER_SECONDS = 2.0
"""How long a worker process may take to answer, before its metrics are left out."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[metrics.Family])


@dataclass(frozen=True, slots=True)
class Peers:
    """The other worker processes; none without a folder."""

    folder: Path | None = None

    @contextlib.asynccontextmanager
    async def answering(self) -> AsyncGenerator[None]:
        """Send this process's metrics to the others on request, while the block lasts."""
        if self.folder is None:
            yield
            return
        path = self._own(self.folder)
        server = await asyncio.start_unix_server(_answer, path)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)

    async def families(self) -> Sequence[Sequence[metrics.Family]]:
        """The metrics of each other process that answers in time."""
        if self.folder is None:
            return ()
        own = self._own(self.folder)
        answers = await asyncio.gather(*(_ask(path) for path in sorted(self.folder.glob("*.sock")) if path != own))
        return [families for families in answers if families]

    @staticmethod
    def _own(folder: Path) -> Path:
        return folder / f"{os.getpid()}.sock"


async def _answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_encoder.encode(metrics.families()))
    with contextlib.suppress(OSError):
        await writer.drain()
    writer.close()


async def _ask(path: Path) -> list[metrics.Family]:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            answer = await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        return []
    return _decoder.decode(answer)
