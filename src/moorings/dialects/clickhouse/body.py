"""The body of ClickHouse's answer: an Arrow stream that an error in plain text can follow."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from moorings import errors
from moorings.dialects.arrow.messages import read_batch

CHUNK_BYTES = 1024 * 1024
TAIL_BYTES = 16 * 1024
"""The longest error that is searched for at the end."""
END = b"\xff\xff\xff\xff\0\0\0\0"
"""How an Arrow stream ends. Arrow's reader accepts a missing end, so half a result would look complete."""
ERROR = re.compile(rb"Code: (\d+)\. (DB::Exception: .*?)(?:\s+\d+ \w{16}\s+__exception__)?\s*$", re.DOTALL)


class Body:
    """A response as a file that pyarrow reads, which remembers its last bytes."""

    closed = False

    def __init__(self, response: HTTPResponse, max_bytes: int = 64 * CHUNK_BYTES) -> None:
        """Read a response with at most this many bytes in memory at once."""
        self._response = response
        self._max_bytes = max_bytes
        self._ahead = b""
        self._tail = b""

    def empty(self) -> bool:
        """Whether the server sent nothing; waits for the first bytes. Raises the error that the server sent instead."""
        try:
            self._ahead = self._pull(CHUNK_BYTES)
        except (HTTPError, OSError) as error:
            raise self._broken() from error
        return not self._ahead

    def _pull(self, most: int) -> bytes:
        data = self._response.read1(most)
        self._tail = data[-TAIL_BYTES:] if len(data) >= TAIL_BYTES else (self._tail + data)[-TAIL_BYTES:]
        return data

    def read(self, size: int = -1) -> bytes:
        """This many bytes, fewer only at the end; raises ResultTooLarge above the limit.

        Memory is not allocated in advance: a corrupt length can be any number.
        """
        parts: list[bytes] = []
        room = self._max_bytes
        while size:
            data = self._ahead or self._pull(CHUNK_BYTES if size < 0 else min(size, CHUNK_BYTES))
            if not data:
                break
            self._ahead = data[size:] if size >= 0 else b""
            parts.append(data[:size] if size >= 0 else data)
            size -= len(parts[-1]) if size > 0 else 0
            room -= len(parts[-1])
            if room < 0:
                raise errors.ResultTooLarge.of("A batch of ClickHouse's answer", self._max_bytes)
        return b"".join(parts)

    def _skip_rest(self) -> None:
        """Read to the end, where an error may follow, but at most up to the limit."""
        left = self._max_bytes
        self._ahead = b""
        while left > 0 and (data := self._pull(CHUNK_BYTES)):
            left -= len(data)

    def arrow(self) -> pa.Schema:
        """Open the Arrow stream; returns its schema, or raises the error that the server sent instead."""
        try:
            self._messages = pa.ipc.MessageReader.open_stream(self)
            return pa.ipc.read_schema(self._messages.read_next_message())
        except (pa.ArrowInvalid, HTTPError, OSError, StopIteration) as error:
            raise self._broken() from error

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The stream's batches with rows.

        Raises the error that the server sent after them, or SessionLost for a missing end.
        """
        try:
            for message in self._messages:
                batch = read_batch(message, schema, self._max_bytes)
                if batch.num_rows:
                    yield batch
            self._skip_rest()
        except (pa.ArrowInvalid, HTTPError, OSError) as error:
            raise self._broken() from error
        if not self._tail.endswith(END):
            raise self._broken()
        self._response.release_conn()

    def _broken(self) -> DatabaseError:
        """The error that the server wrote after the rows; without one, the connection was lost."""
        try:
            self._skip_rest()
        except (HTTPError, OSError):
            pass  # a server that fails midway ends the transfer after its message
        finally:
            self._response.close()
        found = ERROR.search(self._tail)
        if found is None:
            return OperationalError("The server ended the result early.", code=210)
        return DatabaseError(f"Code: {found[1].decode()}. {found[2].decode(errors='replace')}", code=int(found[1]))
