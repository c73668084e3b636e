"""Reads the declared sizes in messages of Arrow's IPC format before they are decompressed.

Imports pyarrow. Each buffer of a batch may be compressed a thousandfold, and pyarrow allocates the size that the buffer
declares. Source: https://arrow.apache.org/docs/format/Columnar.html#compression, format/Message.fbs of Arrow.
"""

from __future__ import annotations

import struct

import pyarrow as pa

from moorings import errors

DICTIONARY, BATCH = 2, 3
"""Kinds of messages."""
UNCOMPRESSED = -1


def read_batch(message: pa.ipc.Message, schema: pa.Schema, max_bytes: int) -> pa.RecordBatch:
    """The record batch of a message; raises ResultTooLarge, and ArrowInvalid for an invalid one."""
    try:
        size = uncompressed_size(message.metadata.to_pybytes(), memoryview(message.body or b""))
    except (struct.error, ValueError) as error:
        raise pa.ArrowInvalid("The message is garbled.") from error
    if size > max_bytes:
        raise errors.ResultTooLarge.of("A batch of the warehouse's answer", max_bytes)
    return pa.ipc.read_record_batch(message, schema)


def uncompressed_size(metadata: bytes, body: memoryview) -> int:
    """The bytes of a message's buffers after decompression."""
    message = _root(metadata)
    kind = metadata[place] if (place := _field(metadata, message, 1)) else 0
    batch = _table(metadata, message, 2)
    if kind == DICTIONARY and batch:
        batch = _table(metadata, batch, 1)
    elif kind != BATCH:
        return 0
    if not batch or not _table(metadata, batch, 3):  # not compressed
        return len(body)
    return sum(_size(body, *each) for each in _buffers(metadata, batch))


def _size(body: memoryview, offset: int, length: int) -> int:
    if not length:
        return 0
    (size,) = struct.unpack_from("<q", body, offset)
    return length if size == UNCOMPRESSED else max(0, size)


def _buffers(data: bytes, batch: int) -> list[tuple[int, int]]:
    """Offset and length of each buffer in the body."""
    vector = _table(data, batch, 2)
    if not vector:
        return []
    (count,) = struct.unpack_from("<I", data, vector)
    return list(struct.iter_unpack("<qq", data[vector + 4 : vector + 4 + 16 * count]))


def _root(data: bytes) -> int:
    return struct.unpack_from("<I", data)[0]


def _field(data: bytes, table: int, number: int) -> int:
    """The position of a table's field; 0 when the table leaves it out. Source: https://flatbuffers.dev/internals."""
    (back,) = struct.unpack_from("<i", data, table)
    (size,) = struct.unpack_from("<H", data, table - back)
    if 6 + 2 * number > size:
        return 0
    (offset,) = struct.unpack_from("<H", data, table - back + 4 + 2 * number)
    return table + offset if offset else 0


def _table(data: bytes, table: int, number: int) -> int:
    """The position of the table or vector that a table's field points to; 0 when it is left out."""
    place = _field(data, table, number)
    return place + struct.unpack_from("<I", data, place)[0] if place else 0
