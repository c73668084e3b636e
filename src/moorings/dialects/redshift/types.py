"""Converts columns of Redshift's protocol to Arrow: numbers and timestamps are binary, everything else is text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from moorings.dialects.arrow import columns

NUMERIC = 1700
TYPES: dict[int, Callable[[], pa.DataType]] = {
    16: pa.bool_,
    17: pa.binary,
    20: pa.int64,
    21: pa.int16,
    23: pa.int32,
    26: pa.int64,
    700: pa.float32,
    701: pa.float64,
    1082: pa.date32,
    1083: lambda: pa.time64("us"),
    1114: lambda: pa.timestamp("us"),
    1184: lambda: pa.timestamp("us", "UTC"),
    6551: pa.binary,
}
"""Numbers of types → Arrow's; numerics depend on their precision, all others are text."""
MICROSECONDS_A_DAY = 86_400_000_000
SINCE_1970 = 10_957 * MICROSECONDS_A_DAY
"""The server counts from 2000."""
PLAIN_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


def column_type(oid: int, modifier: int) -> pa.DataType:
    """The Arrow type of a column, by the number of its type and the modifier that declares a precision."""
    if oid != NUMERIC:
        return TYPES.get(oid, pa.string)()
    declared = columns.declared_numeric(str(modifier).encode())
    return columns.decimal_type(*declared) if declared else pa.string()


def batch(rows: Sequence[Sequence[Any]], schema: pa.Schema, oids: Sequence[int]) -> pa.RecordBatch:
    """Rows as a record batch."""
    described = zip(zip(*rows, strict=True), schema, oids, strict=True)
    return pa.RecordBatch.from_arrays([column(v, field.type, oid) for v, field, oid in described], schema=schema)


def column(values: Sequence[Any], kind: pa.DataType, oid: int) -> pa.Array:
    """One column of the protocol's values, in its type."""
    if pa.types.is_timestamp(kind):
        return _moments(values, kind)
    if pa.types.is_date32(kind):
        return _dates(values)
    if pa.types.is_time64(kind):
        return _times(values, kind)
    if pa.types.is_binary(kind):
        return pa.array([None if value is None else bytes.fromhex(value.removeprefix("\\x")) for value in values], kind)
    if oid == NUMERIC:
        texts = pa.array(values, pa.string())
        return columns.number_texts(texts) if pa.types.is_string(kind) else columns.numbers(texts, kind)
    return pa.array(values, kind)


def _moments(values: Sequence[int | None], kind: pa.DataType) -> pa.Array:
    ticks = pa.array(values, pa.int64())
    least = columns.FIRST_DAY * MICROSECONDS_A_DAY - SINCE_1970
    most = (columns.LAST_DAY + 1) * MICROSECONDS_A_DAY - 1 - SINCE_1970
    valid = pc.and_(pc.greater_equal(ticks, least), pc.less_equal(ticks, most))
    return pc.add(pc.if_else(valid, ticks, pa.scalar(None, pa.int64())), SINCE_1970).cast(kind)


def _dates(values: Sequence[str | None]) -> pa.Array:
    texts = pa.array(values, pa.string())
    plain = pc.match_substring_regex(texts, PLAIN_DATE)
    return pc.if_else(plain, texts, pa.scalar(None, pa.string())).cast(pa.date32())


def _times(values: Sequence[str | None], kind: pa.DataType) -> pa.Array:
    """Times of day; 24:00:00 becomes null."""
    texts = pa.array(values, pa.string())
    valid = pc.if_else(pc.starts_with(texts, "24"), pa.scalar(None, pa.string()), texts)
    return pc.binary_join_element_wise("1970-01-01", valid, " ").cast(pa.timestamp("us")).cast(kind)
