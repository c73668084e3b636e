"""Splits a result's record batches into bounded pieces, whatever size the driver chose.

Drivers count rows, if they count at all: 16,384 rows of long texts are hundreds of megabytes, and text of them several
times as much. So each batch is split before it is encoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from moorings import errors
from moorings.dialects.base import ByteLimits

if TYPE_CHECKING:
    import pyarrow as pa

    from moorings.dialects.arrow.beyond import Sound
    from moorings.dialects.arrow.numerics import As

TEXT = "text"
MAX_COLUMNS = 20_000
"""More columns than any warehouse's result has; each costs some kilobytes before the first row."""


class Batches:
    """The batches of a reader, in order, none larger than the limits. Used in the session's thread."""

    def __init__(
        self, reader: pa.RecordBatchReader, limits: ByteLimits, *, exact: bool = False, numeric_as: str = TEXT
    ) -> None:
        """Take over a reader; raises ResultTooLarge for one with too many columns.

        Values that Arrow readers cannot represent become null, unless `exact` keeps them for the encoder.
        """
        if len(reader.schema) > MAX_COLUMNS:
            raise errors.ResultTooLarge(message=f"The result has more than {MAX_COLUMNS} columns. Select fewer.")
        self._changes = list(_changes(reader.schema, exact=exact, numeric_as=numeric_as))
        self.schema = self._changes[-1].schema if self._changes else reader.schema
        self._reader = reader
        self._limits = limits
        self._pieces: Iterator[pa.RecordBatch] = iter(())

    def next(self) -> pa.RecordBatch | None:
        """The next piece, of one row at least, None after the last; raises ValueTooLarge or ResultTooLarge."""
        piece = next(self._pieces, None)
        while piece is None:
            try:
                batch = self._reader.read_next_batch()
            except StopIteration:
                return None
            if not batch.num_rows:
                continue
            for change in self._changes:
                batch = change(batch)
            if batch.nbytes <= min(self._limits.batch, self._limits.value):
                return batch
            self._pieces = pieces(batch, self._limits)
            del batch  # the pieces keep its memory alive
            piece = next(self._pieces, None)
        return piece


def _changes(schema: pa.Schema, *, exact: bool, numeric_as: str) -> Iterator[Sound | As]:
    from moorings.dialects.arrow.beyond import Sound
    from moorings.dialects.arrow.numerics import As

    if numeric_as != TEXT:
        change = As(schema, numeric_as)
        schema = change.schema
        yield change
    if not exact:
        yield Sound(schema)


def pieces(batch: pa.RecordBatch, limits: ByteLimits) -> Iterator[pa.RecordBatch]:
    """A batch split by rows into pieces of `limits.batch`, or of one row; raises ValueTooLarge or ResultTooLarge."""
    shared = batch.slice(0, 0).nbytes  # every piece contains the whole dictionaries
    waiting = [batch]
    while waiting:
        part = waiting.pop()
        size = part.nbytes - shared
        if size > limits.batch and part.num_rows > 1:
            half = part.num_rows // 2
            waiting += (part.slice(half), part.slice(0, half))
            continue
        if size > limits.value:
            _check_values(part, limits.value)
        if size > limits.buffer:
            raise errors.ResultTooLarge.of("A row", limits.buffer)
        yield part


def _check_values(batch: pa.RecordBatch, most: int) -> None:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if column.nbytes > most:
            _check_column(name, column, most)


def _check_column(name: str, column: pa.Array, most: int) -> None:
    shared = column.slice(0, 0).nbytes
    waiting = [column]
    while waiting:
        part = waiting.pop()
        size = part.nbytes - shared
        if size <= most:
            continue
        if len(part) == 1:
            raise errors.ValueTooLarge.of(name, size, most)
        half = len(part) // 2
        waiting += (part.slice(half), part.slice(0, half))
