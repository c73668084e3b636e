"""Arrow's IPC stream, decoded as its bytes arrive: https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format.

pyarrow reads from files only, and an asynchronous response is none. So messages are cut out of the bytes here, and
pyarrow decodes each of them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from moorings.client.errors import StreamBroken

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA, DICTIONARY, BATCH = 1, 2, 3
"""Kinds of messages; a stream of results has no others."""
CONTINUATION = b"\xff\xff\xff\xff"
PREFIX_BYTES = 8


class ArrowDecoder:
    """Bytes in, record batches out. `schema` is known after the first message."""

    accept = "application/vnd.apache.arrow.stream"

    def __init__(self) -> None:
        self.schema: pa.Schema | None = None
        self.truncated = False
        self.ended = False
        self._rest = bytearray()
        self._size = PREFIX_BYTES
        self._head = b""
        self._dictionaries: dict[int, list[bytes]] = {}

    @property
    def columns(self) -> list[str] | None:
        """The names of the columns."""
        return None if self.schema is None else self.schema.names

    def feed(self, data: bytes) -> list[pa.RecordBatch]:
        """The record batches that these bytes complete."""
        self._rest += data
        found: list[pa.RecordBatch] = []
        while not self.ended and len(self._rest) >= self._size:
            if (whole := self._message()) is not None and (batch := self._read(whole)) is not None:
                found.append(batch)
        return found

    def finish(self) -> None:
        """Raise StreamBroken unless the stream has its mark of the end."""
        if not self.ended:
            raise StreamBroken("The result broke off: its last part is missing")

    def _message(self) -> bytes | None:
        """The next whole message; None while it is not here, after noting how long it will be."""
        if not self._rest.startswith(CONTINUATION):
            raise StreamBroken("The answer is no Arrow stream")
        (length,) = struct.unpack_from("<i", self._rest, 4)
        if length == 0:
            self.ended = True
            return None
        size = PREFIX_BYTES + length
        if len(self._rest) >= size:
            size += _Table(self._rest, PREFIX_BYTES).int64(3)
        if len(self._rest) < size:
            self._size = size
            return None
        with memoryview(self._rest) as view:
            whole = bytes(view[:size])
        del self._rest[:size]
        self._size = PREFIX_BYTES
        return whole

    def _read(self, whole: bytes) -> pa.RecordBatch | None:
        import pyarrow as pa

        message = _Table(whole, PREFIX_BYTES)
        kind = message.uint8(1)
        if kind == SCHEMA:
            self._head = whole
            self.schema = pa.ipc.open_stream(whole).schema
        elif kind == DICTIONARY:
            dictionary = message.table(2)
            earlier = self._dictionaries.get(dictionary.int64(0), []) if dictionary.uint8(2) else []
            self._dictionaries[dictionary.int64(0)] = [*earlier, whole]
        elif kind == BATCH:
            return self._batch(whole, rows=message.table(2).int64(0))
        return None

    def _batch(self, whole: bytes, *, rows: int) -> pa.RecordBatch | None:
        import pyarrow as pa

        if rows and self.schema is not None and not self._dictionaries:
            return pa.ipc.read_record_batch(pa.ipc.read_message(whole), self.schema)
        dictionaries = (each for several in self._dictionaries.values() for each in several)
        reader = pa.ipc.open_stream(b"".join((self._head, *dictionaries, whole)))
        batch, metadata = reader.read_next_batch_with_custom_metadata()
        if rows == 0:  # the last one says whether the row limit cut the result
            self.truncated = (metadata or {}).get(b"moorings.truncated") == b"true"
            return None
        return batch


class _Table:
    """A table of a flatbuffer: https://flatbuffers.dev/internals/#tables."""

    def __init__(self, data: bytes | bytearray, start: int, *, root: bool = True) -> None:
        self._data = data
        self._start = start + struct.unpack_from("<I", data, start)[0] if root else start
        self._fields = self._start - struct.unpack_from("<i", data, self._start)[0]
        self._length = struct.unpack_from("<H", data, self._fields)[0]

    def int64(self, field: int) -> int:
        return self._value("<q", field)

    def uint8(self, field: int) -> int:
        return self._value("<B", field)

    def table(self, field: int) -> _Table:
        place = self._place(field)
        assert place is not None, "Arrow's messages have a header"  # noqa: S101
        return _Table(self._data, place)

    def _value(self, form: str, field: int) -> int:
        place = self._place(field)
        return 0 if place is None else struct.unpack_from(form, self._data, place)[0]

    def _place(self, field: int) -> int | None:
        entry = 4 + 2 * field
        if entry >= self._length:
            return None
        offset = struct.unpack_from("<H", self._data, self._fields + entry)[0]
        return self._start + offset if offset else None
