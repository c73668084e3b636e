"""Results of `AsyncClient`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, Self, TypeVar, cast, overload

import httpx

from moorings.client.errors import StreamBroken
from moorings.client.queries import Facts
from moorings.client.results.reading import Reading
from moorings.client.results.rows import distinct, for_polars, with_decimals
from moorings.client.results.text import Row

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa


class Closes(Protocol):
    """A result that can be closed."""

    async def close(self) -> None:
        """Let go of it."""
        ...


C = TypeVar("C", bound=Closes)


class Opening(Generic[C]):
    """A result to come: `await` it, or enter it with `async with`."""

    def __init__(self, opens: Callable[[], Awaitable[C]]) -> None:
        self._opens = opens
        self._opened: C | None = None

    def __await__(self) -> Generator[Any, None, C]:
        return self._opens().__await__()

    async def __aenter__(self) -> C:
        self._opened = await self._opens()
        return self._opened

    async def __aexit__(self, *_: object) -> None:
        if self._opened is not None:
            await self._opened.close()


class AsyncDownload:
    """The bytes of a result in one of the API's formats. Leaving its block before the end cancels the query."""

    def __init__(self, response: httpx.Response, facts: Facts, cancel: Callable[[str], Awaitable[object]]) -> None:
        self.facts = facts
        self.ended = False
        self._response = response
        self._cancel = cancel

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.aiter_bytes():
                yield piece
        except httpx.HTTPError as failed:
            self.ended = True
            await self._response.aclose()
            raise StreamBroken(f"The result broke off: {failed}") from failed
        self.ended = True

    async def close(self) -> None:
        """Let go of the result; cancel its query in the database unless it was read to its end."""
        if self._response.is_closed:
            return
        try:
            if not self.ended:
                await self._cancel(self.facts.query_id)
        finally:
            await self._response.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncResult:
    """The rows of a query, which arrive while they are read. Leaving its block before the end cancels the query."""

    def __init__(self, download: AsyncDownload) -> None:
        self._download = download
        self._pieces = aiter(download)
        self._reading = Reading(download.facts)

    @property
    def query_id(self) -> str:
        """The id of the query."""
        return self._reading.facts.query_id

    @property
    def connection_id(self) -> str:
        """The id of the connection that ran it: the one that was named, or one of its environments."""
        return self._reading.facts.connection_id

    @property
    def row_count(self) -> int:
        """The number of rows that have arrived."""
        return self._reading.row_count

    @property
    def truncated(self) -> bool:
        """Whether the row limit cut the result; known at its end."""
        return self._reading.decoder.truncated

    async def columns(self) -> list[str]:
        """The names of the columns."""
        while self._reading.decoder.columns is None and await self._pull():
            pass
        return self._reading.decoder.columns or []

    async def batches(self) -> AsyncIterator[pa.RecordBatch]:
        """The rows as Arrow's record batches, with the types of the database."""
        self._reading.require_arrow()
        async for batch in self._chunks():
            yield batch

    @overload
    def rows(self, *, named: Literal[False] = False) -> AsyncIterator[Row]: ...
    @overload
    def rows(self, *, named: Literal[True]) -> AsyncIterator[dict[str, Any]]: ...
    def rows(self, *, named: bool = False) -> AsyncIterator[Row] | AsyncIterator[dict[str, Any]]:
        """The rows as tuples, or as dictionaries if `named`. Exact numbers are Decimal."""
        return self._named() if named else self._rows()

    async def _rows(self) -> AsyncIterator[Row]:
        async for chunk in self._chunks():
            for row in self._reading.rows(chunk):
                yield row

    async def _named(self) -> AsyncIterator[dict[str, Any]]:
        names = distinct(await self.columns())
        async for row in self._rows():
            yield dict(zip(names, row, strict=True))

    async def to_arrow(self) -> pa.Table:
        """All rows as a pyarrow table. Exact numbers are decimals, as far as they fit 76 digits."""
        return with_decimals(await self._table())

    async def to_polars(self) -> polars.DataFrame:
        """All rows as a polars data frame. Exact numbers are decimals, as far as they fit 38 digits."""
        import polars

        return cast("polars.DataFrame", polars.from_arrow(for_polars(await self._table())))

    async def to_pandas(self) -> pandas.DataFrame:
        """All rows as a pandas data frame."""
        return (await self.to_arrow()).to_pandas()

    async def close(self) -> None:
        """Let go of the result; cancel its query in the database unless it was read to its end."""
        await self._download.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncResult: {self._reading.caption}>"

    def _repr_html_(self) -> str:
        """What has arrived of the result, in a notebook: all of it after `await result.to_arrow()`."""
        return self._reading.html()

    async def _table(self) -> pa.Table:
        if self._reading.table is not None:
            return self._reading.table
        self._reading.require_arrow()
        return self._reading.keep([batch async for batch in self._chunks()])

    async def _chunks(self) -> AsyncIterator[Any]:
        if self._reading.table is not None:
            for batch in self._reading.table.to_batches():
                yield batch
            return
        self._reading.begin()
        while self._reading.chunks or await self._pull():
            while self._reading.chunks:
                yield self._reading.chunks.popleft()

    async def _pull(self) -> bool:
        """Read one more piece of the answer; False if there is none."""
        if self._reading.ended:
            return False
        piece = await anext(self._pieces, None)
        if piece is not None:
            self._reading.feed(piece)
            return True
        self._reading.finish()
        await self._download.close()
        return bool(self._reading.chunks)
