"""Encoders of results: record batches → bytes, one class per format.

The session's thread calls an encoder, one call after the other. It imports pyarrow only there, where the driver has
already loaded it.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from moorings.api.http.negotiation import ARROW, CSV, JSON, NDJSON

if TYPE_CHECKING:
    import pyarrow as pa

    from moorings.dialects.arrow.beyond import Notation

SLICE_ROWS = 16_384
"""The rows that are converted to text at once: the texts then fit into the processor's cache, and memory stays flat."""

ROW_COUNT, TRUNCATED = "moorings.rowCount", "moorings.truncated"
"""Keys of the metadata of an Arrow stream's last record batch, which has no rows."""


class Encoder(ABC):
    """One format.

    Callers call `start`, `batch` for each batch, and `end`; the returned bytes, in this order, are the whole body.
    """

    media_type: str
    extension: str = ""
    """The file name extension of this format; empty for formats that are not saved as files."""
    limited: bool = False
    """Whether the operator's row limit applies to a result if the caller names no limit."""
    exact: bool = False
    """Whether the format can write values that Arrow readers cannot represent."""

    @abstractmethod
    def start(self, schema: pa.Schema) -> bytes:
        """The bytes before the first row."""

    @abstractmethod
    def batch(self, batch: pa.RecordBatch) -> bytes:
        """Some rows."""

    @abstractmethod
    def end(self, *, truncated: bool, row_count: int) -> bytes:
        """The bytes after the last row; `truncated` if the row limit cut the result."""

    @property
    def pending(self) -> bool:
        """Whether there is more to send than `end` returned."""
        return False

    def more(self) -> bytes:
        """The next piece of the rest."""
        return b""

    def close(self) -> None:  # noqa: B027  # most have nothing to let go of
        """Release its resources, also for a result that was not sent to its end."""


class ArrowEncoder(Encoder):
    """Arrow's IPC stream; its last batch is empty and carries `moorings.rowCount` and `moorings.truncated`."""

    def __init__(self, codec: str | None) -> None:
        self.media_type = f"{ARROW}; codecs={codec}" if codec else ARROW
        self._codec = codec
        self._written: list[bytes] = []
        self._writer: pa.ipc.RecordBatchStreamWriter
        self._empty: pa.RecordBatch

    def start(self, schema: pa.Schema) -> bytes:
        """The schema's message."""
        import pyarrow as pa

        self._empty = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
        options = pa.ipc.IpcWriteOptions(compression=self._codec)
        self._writer = pa.ipc.new_stream(Collector(self._written), schema, options=options)
        return self._taken()

    def batch(self, batch: pa.RecordBatch) -> bytes:
        """A record batch's message, preceded by the dictionaries that changed."""
        self._writer.write_batch(batch)
        return self._taken()

    def end(self, *, truncated: bool, row_count: int) -> bytes:
        """The last, empty batch with the metadata, and the mark of the end."""
        metadata = {ROW_COUNT: str(row_count), TRUNCATED: json.dumps(truncated)}
        self._writer.write_batch(self._empty, custom_metadata=metadata)
        self._writer.close()
        return self._taken()

    def _taken(self) -> bytes:
        taken = b"".join(self._written)
        self._written.clear()
        return taken


class Collector:
    """The file object that Arrow's writers write to."""

    closed = False

    def __init__(self, written: list[bytes]) -> None:
        self._written = written

    def write(self, data: bytes) -> int:
        """Collect the written bytes."""
        self._written.append(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered."""


class TextEncoder(Encoder):
    """The base of textual formats: it converts a few thousand rows to text at a time."""

    exact = True

    def __init__(self) -> None:
        self._notations: Mapping[int, Notation] = {}

    def start(self, schema: pa.Schema) -> bytes:
        """The bytes before the first row."""
        from moorings.dialects.arrow.beyond import notations

        self._notations = notations(schema)
        return self.head(schema)

    def batch(self, batch: pa.RecordBatch) -> bytes:
        """Some rows."""
        from moorings.api.results.cells import texts
        from moorings.dialects.arrow.beyond import worded

        parts = list[bytes]()
        for start in range(0, batch.num_rows, SLICE_ROWS):
            part = batch.slice(start, SLICE_ROWS)
            parts.append(self.rows(worded(part.columns, self._notations, texts), part.num_rows))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    @abstractmethod
    def head(self, schema: pa.Schema) -> bytes:
        """The text before the first row."""

    @abstractmethod
    def rows(self, columns: Sequence[pa.Array], count: int) -> bytes:
        """The text of one slice; it has at least one row."""


class JsonEncoder(TextEncoder):
    """One JSON object: columns, rows as arrays, the number of rows and whether the row limit cut them."""

    media_type = JSON
    limited = True

    def __init__(self) -> None:
        super().__init__()
        self._first = True

    def head(self, schema: pa.Schema) -> bytes:
        """The columns, and the opening of the rows."""
        columns = [{"name": field.name, "type": _type_name(field)} for field in schema]
        return f'{{"columns":{_json(columns)},"rows":['.encode()

    def rows(self, columns: Sequence[pa.Array], count: int) -> bytes:
        """`[1,"a"],[2,"b"]`."""
        from moorings.api.results import cells, single_row

        first, self._first = self._first, False
        if count == 1:
            return single_row.json_array(columns, b"[" if first else b",[")
        if columns:
            parts = [part for column in columns for part in (",", cells.json_values(column))]
            texts = cells.join(",[", *parts[1:], "]")
        else:
            texts = cells.repeated(",[]", count)
        return cells.content(texts, skipped=int(first))

    def end(self, *, truncated: bool, row_count: int) -> bytes:
        """The end of the rows, their number, and whether they were cut."""
        return f'],"rowCount":{row_count},"truncated":{_json(truncated)}}}\n'.encode()


class NdjsonEncoder(TextEncoder):
    """One JSON object a line."""

    media_type = NDJSON

    def __init__(self) -> None:
        super().__init__()
        self._names: list[str] = []

    def head(self, schema: pa.Schema) -> bytes:
        """Nothing: the names are in every row."""
        from moorings.api.results.cells import distinct

        self._names = distinct(schema.names)
        return b""

    def rows(self, columns: Sequence[pa.Array], count: int) -> bytes:
        """`{"id":1,"name":"a"}` and a line feed."""
        from moorings.api.results import cells, single_row

        if count == 1:
            return single_row.json_object(self._names, columns)
        values = [cells.json_values(column) for column in columns]
        return cells.content(cells.json_objects(self._names, values, count, "}\n"))

    def end(self, *, truncated: bool, row_count: int) -> bytes:
        """Nothing: only the number of rows shows that a result was cut."""
        return b""


class CsvEncoder(TextEncoder):
    """RFC 4180 with a header: text always in quotes, so that null (nothing) and the empty text ("") differ."""

    media_type = f"{CSV}; charset=utf-8; header=present"
    extension = "csv"

    def __init__(self, *, bom: bool = False, escape_formulas: bool = False) -> None:
        """Make CSV.

        On request with a byte order mark, and with an apostrophe before texts that spreadsheets would run.
        """
        super().__init__()
        self._bom = bom
        self._escape_formulas = escape_formulas

    def head(self, schema: pa.Schema) -> bytes:
        """The header."""
        names = ['"' + name.replace('"', '""') + '"' for name in schema.names]
        mark = "\ufeff" if self._bom else ""
        return (mark + ",".join(names) + "\r\n").encode()

    def rows(self, columns: Sequence[pa.Array], count: int) -> bytes:
        """`1,"a"` and CR LF."""
        from moorings.api.results import cells

        if not columns:
            return b"\r\n" * count
        if self._escape_formulas:
            from moorings.api.results.sheets import without_formulas

            columns = [without_formulas(column) for column in columns]
        fields = [cells.csv_fields(column) for column in columns]
        if len(fields) == 1:  # readers skip empty lines, so a row with one null must not be empty
            fields = [cells.fill_empty(fields[0], '""')]
        parts = [part for column in fields for part in (",", column)]
        return cells.content(cells.join(*parts[1:], "\r\n"))

    def end(self, *, truncated: bool, row_count: int) -> bytes:
        """Nothing: only the number of rows shows that a result was cut."""
        return b""


def _type_name(field: pa.Field) -> str:
    """A column's type for clients; text that is a number without a declared precision is `numeric`."""
    from moorings.api.results.cells import type_name
    from moorings.dialects.arrow.numerics import is_marked

    name = type_name(field.type)
    return "numeric" if name == "string" and is_marked(field) else name


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
