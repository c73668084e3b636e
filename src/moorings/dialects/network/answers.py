"""Limits the size of HTTP answers. Imports urllib3: only sessions import this.

Bytes are counted after decompression, and decompressed in steps, so that a small body that expands to gigabytes fails
only its own request.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import cast

from urllib3.response import HTTPResponse

from moorings import errors
from moorings.dialects.network.values import check_values

CHUNK = 65_536
PLAIN = ("", "identity")
MAX_READS = 2_000_000
"""Fields that are read one by one, as Thrift does: each becomes a value, however small."""


class BoundedAnswer(HTTPResponse):
    """An answer of at most `max_bytes`; for a `streamed` one, the limit applies to the data of one call.

    `read(amount)` and `read1(amount)` read it in pieces, each within the limit. Calls that read it to its end
    (`read()`, `data`, `stream()`) have the limit for the whole answer, and for its values as JSON.
    """

    max_bytes = 0
    streamed = False
    _counted = 0
    _reads = 0

    def read(self, amt: int | None = None, decode_content: bool | None = None, cache_content: bool = False) -> bytes:
        """This many bytes, or all; raises ResultTooLarge beyond the limit."""
        if amt is None or amt < 0:
            return self._whole(decode_content, cache_content)
        self._reads += 1
        if self._reads > MAX_READS:
            self._check(self.max_bytes + 1)
        if self.streamed:
            self._check(amt)
        return self._taken(super().read(min(amt, self.max_bytes + 1), decode_content, cache_content))

    def _whole(self, decode_content: bool | None, cache_content: bool) -> bytes:
        parts: list[bytes] = []
        size = 0
        while part := super().read(CHUNK, decode_content):
            size += len(part)
            self._check(size)
            parts.append(part)
        data = b"".join(parts)
        check_values(data, self.max_bytes)
        if cache_content:
            self._body = data
        return data

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """The bytes that have arrived, at most this many; raises ResultTooLarge beyond the limit."""
        size = CHUNK if amt is None or amt < 0 else min(amt, self.max_bytes)
        return self._taken(super().read1(size, decode_content))

    def stream(self, amt: int | None = CHUNK, decode_content: bool | None = None) -> Generator[bytes]:
        """All of it, at once; raises ResultTooLarge beyond the limit."""
        del amt
        if data := self._whole(decode_content, cache_content=False):
            yield data

    def read_chunked(self, amt: int | None = None, decode_content: bool | None = None) -> Generator[bytes]:
        """The pieces of a body of unknown length; raises ResultTooLarge beyond the limit."""
        for part in super().read_chunked(min(amt or CHUNK, CHUNK), decode_content):
            yield self._taken(part)

    def drain_conn(self) -> None:
        """Close the connection if data is left: it is not needed, and may be endless."""
        if self._original_response is None or not self._original_response.isclosed():
            self.close()

    def decodes(self) -> bool:
        """Create the decompressor, and hide the encoding from the driver; returns False for an unknown encoding."""
        encoding = self.headers.get("content-encoding", "").strip().lower()
        if not self.decode_content or encoding in PLAIN:
            return True
        self._init_decoder()
        del self.headers["content-encoding"]
        return self._decoder is not None

    def _taken(self, data: bytes) -> bytes:
        if not self.streamed:
            self._counted += len(data)
            self._check(self._counted)
        return data

    def _check(self, size: int) -> None:
        if size > self.max_bytes:
            self.close()
            raise errors.ResultTooLarge.of("The warehouse's answer", self.max_bytes)


def bounded(answer: HTTPResponse, max_bytes: int, fields: tuple[str, ...], *, streamed: bool) -> BoundedAnswer:
    """The answer, bounded.

    It is decompressed only here: drivers that decompress themselves see no encoding. Raises AnotherService for an
    unknown encoding.
    """
    answer.__class__ = BoundedAnswer
    made = cast("BoundedAnswer", answer)
    made.max_bytes, made.streamed = max_bytes, streamed
    if not made.decodes():
        made.close()
        message = "The server compresses its answers in a way that was not asked for. Check the address."
        raise errors.AnotherService(*fields, message=message)
    return made
