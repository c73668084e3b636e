"""A result that is being read: what both clients know of it, without any input or output."""

from __future__ import annotations

import html
import time
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from moorings.client.errors import ClientError
from moorings.client.queries import Facts, decoder
from moorings.client.results.arrow import ArrowDecoder
from moorings.client.results.rows import tuples, with_decimals
from moorings.client.results.text import Row

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN_ROWS = 20
"""Of a result in a notebook."""
PREVIEW_ROWS = 10_000
"""The rows that are read to show a result; a longer one shows that it goes on."""
SHOWN_CHARACTERS = 200
"""Of a value in a notebook."""


class Reading:
    """The chunks of a result that have arrived: record batches, or lists of rows where pyarrow is not installed."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.decoder = decoder(facts.media_type)
        self.chunks = deque[Any]()
        self.row_count = 0
        self.seconds: float | None = None
        self.ended = False
        self.table: pa.Table | None = None
        self._begun = False

    def feed(self, data: bytes) -> None:
        """Take some bytes of the answer."""
        for chunk in self.decoder.feed(data):
            self._take(chunk)

    def finish(self) -> None:
        """Take the end of the answer; raises StreamBroken if it is not the end of the result."""
        for chunk in self.decoder.finish() or []:
            self._take(chunk)
        self.ended = True
        self.seconds = time.perf_counter() - self.facts.started

    def _take(self, chunk: Any) -> None:
        self.chunks.append(chunk)
        self.row_count += len(chunk)

    def require_arrow(self) -> None:
        """Raise ClientError where pyarrow is not installed: the answer is JSON then."""
        if not isinstance(self.decoder, ArrowDecoder):
            raise ClientError(
                "Tables and record batches need pyarrow", "Install it: pip install pyarrow. rows() works."
            )

    def begin(self) -> None:
        """Raise ClientError if the rows were taken already."""
        if self._begun:
            raise ClientError("The rows of this result were read already", "Run the query again, or keep its table.")
        self._begun = True

    def rows(self, chunk: Any) -> list[Row]:
        """The rows of a chunk."""
        return cast("list[Row]", chunk) if isinstance(chunk, list) else tuples(chunk)

    def keep(self, batches: list[pa.RecordBatch]) -> pa.Table:
        """The table of all batches; it is kept, so that it may be asked for again."""
        import pyarrow as pa

        schema = self.decoder.schema if isinstance(self.decoder, ArrowDecoder) else None
        self.table = pa.Table.from_batches(batches, schema=schema)
        return self.table

    def shown_rows(self) -> list[Row]:
        """The rows that a notebook shows, of those that are here."""
        chunks: list[Any] = list(self.chunks) if self.table is None else with_decimals(self.table).to_batches()
        found = list[Row]()
        for chunk in chunks:
            found += self.rows(chunk[:SHOWN_ROWS])
            if len(found) >= SHOWN_ROWS:
                break
        return found[:SHOWN_ROWS]

    def html(self) -> str:
        """The result as a table with its row count, its time and its connection. All text is escaped."""
        rows = self.shown_rows()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.decoder.columns or ())
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{html.escape(self.caption)}</p>"

    @property
    def caption(self) -> str:
        """The row count, the time and the connection, in a line."""
        more = "" if self.ended else "more than "
        rows = f"{more}{self.row_count:,} row{'' if self.row_count == 1 else 's'}"
        cut = ", cut by the row limit" if self.decoder.truncated else ""
        seconds = self.seconds if self.seconds is not None else time.perf_counter() - self.facts.started
        return f"{rows}{cut} · {seconds:.2f} s · {self.facts.connection}"


def _cell(value: object) -> str:
    if value is None:
        return "<td><em>null</em></td>"
    text = str(value)
    text = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    side = ' style="text-align: right"' if isinstance(value, int | float) and not isinstance(value, bool) else ""
    return f"<td{side}>{html.escape(text)}</td>"
