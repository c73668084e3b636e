"""Results of `Client`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, Self, cast, overload

import httpx

from moorings.client.errors import StreamBroken
from moorings.client.queries import Facts
from moorings.client.results.reading import PREVIEW_ROWS, Reading
from moorings.client.results.rows import distinct, for_polars, with_decimals
from moorings.client.results.text import Row

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow as pa


class Download:
    """The bytes of a result in one of the API's formats. Leaving its block before the end cancels the query."""

    def __init__(self, response: httpx.Response, facts: Facts, cancel: Callable[[str], object]) -> None:
        self.facts = facts
        self.ended = False
        self._response = response
        self._cancel = cancel

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._response.iter_bytes()
        except httpx.HTTPError as failed:
            self.ended = True
            self._response.close()
            raise StreamBroken(f"The result broke off: {failed}") from failed
        self.ended = True

    def close(self) -> None:
        """Let go of the result; cancel its query in the database unless it was read to its end."""
        if self._response.is_closed:
            return
        if not self.ended:
            self._cancel(self.facts.query_id)
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Result:
    """The rows of a query, which arrive while they are read. Leaving its block before the end cancels the query."""

    def __init__(self, download: Download) -> None:
        self._download = download
        self._pieces = iter(download)
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
    def columns(self) -> list[str]:
        """The names of the columns."""
        while self._reading.decoder.columns is None and self._pull():
            pass
        return self._reading.decoder.columns or []

    @property
    def row_count(self) -> int:
        """The number of rows that have arrived."""
        return self._reading.row_count

    @property
    def truncated(self) -> bool:
        """Whether the row limit cut the result; known at its end."""
        return self._reading.decoder.truncated

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as Arrow's record batches, with the types of the database."""
        self._reading.require_arrow()
        return iter(self._reading.table.to_batches()) if self._reading.table is not None else self._chunks()

    @overload
    def rows(self, *, named: Literal[False] = False) -> Iterator[Row]: ...
    @overload
    def rows(self, *, named: Literal[True]) -> Iterator[dict[str, Any]]: ...
    def rows(self, *, named: bool = False) -> Iterator[Row] | Iterator[dict[str, Any]]:
        """The rows as tuples, or as dictionaries if `named`. Exact numbers are Decimal."""
        return self._named() if named else self._rows()

    def _rows(self) -> Iterator[Row]:
        table = self._reading.table
        for chunk in self._chunks() if table is None else table.to_batches():
            yield from self._reading.rows(chunk)

    def _named(self) -> Iterator[dict[str, Any]]:
        names = distinct(self.columns)
        return (dict(zip(names, row, strict=True)) for row in self._rows())

    def to_arrow(self) -> pa.Table:
        """All rows as a pyarrow table. Exact numbers are decimals, as far as they fit 76 digits."""
        return with_decimals(self._table())

    def to_polars(self) -> polars.DataFrame:
        """All rows as a polars data frame. Exact numbers are decimals, as far as they fit 38 digits."""
        import polars

        return cast("polars.DataFrame", polars.from_arrow(for_polars(self._table())))

    def to_pandas(self) -> pandas.DataFrame:
        """All rows as a pandas data frame."""
        return self.to_arrow().to_pandas()

    def close(self) -> None:
        """Let go of the result; cancel its query in the database unless it was read to its end."""
        self._download.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Result: {self._reading.caption}>"

    def _repr_html_(self) -> str:
        """The result in a notebook. The rows that this reads stay to be read."""
        while self._reading.row_count <= PREVIEW_ROWS and self._pull():
            pass
        return self._reading.html()

    def _table(self) -> pa.Table:
        if self._reading.table is not None:
            return self._reading.table
        self._reading.require_arrow()
        return self._reading.keep(list(self._chunks()))

    def _chunks(self) -> Iterator[Any]:
        self._reading.begin()
        return self._remaining()

    def _remaining(self) -> Iterator[Any]:
        while self._reading.chunks or self._pull():
            while self._reading.chunks:
                yield self._reading.chunks.popleft()

    def _pull(self) -> bool:
        """Read one more piece of the answer; False if there is none."""
        if self._reading.ended:
            return False
        piece = next(self._pieces, None)
        if piece is not None:
            self._reading.feed(piece)
            return True
        self._reading.finish()
        self._download.close()
        return bool(self._reading.chunks)
