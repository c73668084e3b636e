"""How much a result of Databricks may grow to when it is decompressed. Imports the driver's libraries.

The driver decompresses each answer as a whole, by LZ4 and then by Arrow's own compression, whatever it grows to. These
functions do the same within a limit; `transport` puts them in the place of the driver's.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

import lz4.frame
import pyarrow as pa

from moorings import errors
from moorings.dialects.arrow.messages import read_batch
from moorings.dialects.network.dialing import Network

MAX_BYTES: ContextVar[int] = ContextVar("max_bytes", default=Network().longest_answer)
"""The limit in the session's thread; the driver has no argument for it."""
STEP = 1 << 20


def decompressed(data: bytes, max_bytes: int | None = None) -> bytes:
    """The frames of LZ4 behind each other, decompressed; raises ResultTooLarge."""
    room = MAX_BYTES.get() if max_bytes is None else max_bytes
    frames = lz4.frame.create_decompression_context()
    view, parts, at, size = memoryview(data), list[bytes](), 0, 0
    while at < len(view):
        part, read, _ = lz4.frame.decompress_chunk(frames, view[at:], max_length=STEP)
        at, size = at + read, size + len(part)
        if size > room:
            raise _too_large()
        if part:
            parts.append(part)
        elif not read:
            break
    return b"".join(parts)


def table_of_batches(batches: Iterable[Any], is_compressed: bool, schema: bytes) -> tuple[pa.Table, int]:
    """The rows that come with an answer, and how many the server says they are."""
    rows, data = 0, bytearray(schema)
    for each in batches:
        rows += each.rowCount
        data += decompressed(each.batch, MAX_BYTES.get() - len(data)) if is_compressed else each.batch
    return table(data), rows


def table(stream: bytes | bytearray) -> pa.Table:
    """The record batches of an Arrow stream; raises ResultTooLarge."""
    messages, left = pa.ipc.MessageReader.open_stream(pa.py_buffer(stream)), MAX_BYTES.get()
    schema = pa.ipc.read_schema(messages.read_next_message())
    batches: list[pa.RecordBatch] = []
    for message in messages:
        batches.append(read_batch(message, schema, left))
        left -= batches[-1].nbytes
        if left < 0:
            raise _too_large()
    return pa.Table.from_batches(batches, schema)


def _too_large() -> errors.ResultTooLarge:
    return errors.ResultTooLarge.of("The warehouse's answer", MAX_BYTES.get())
