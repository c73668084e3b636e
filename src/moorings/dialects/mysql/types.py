"""Columns of MySQL's text protocol as Arrow: the driver's own converters cost more than the query."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

BINARY_CHARSET = 63
UNSIGNED = 32
"""A flag of a column; see https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__column__definition__flags.html."""

INTEGERS = {1: 8, 2: 16, 3: 32, 8: 64, 9: 32, 13: 16}
"""Type code → bits: TINYINT, SMALLINT, INT, BIGINT, MEDIUMINT, YEAR."""
DECIMALS, FLOAT, DOUBLE, NULL = (0, 246), 4, 5, 6
DATES, TIMES, MOMENTS = (10, 14), (11,), (7, 12)
BIT, JSON, GEOMETRY = 16, 245, 255

PARTS_OF_A_TIME = r"^(?P<sign>-?)(?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>\d+)(?:\.(?P<fraction>\d+))?$"
ZERO_PARTS = r"^0000|-00"
"""A year of 0, or a month or day of 0: what MySQL stores where there is no date."""


def column_type(field: Any) -> pa.DataType:
    """The Arrow type of a column, from what the server says of it."""
    import pyarrow as pa

    code, unsigned = field.type_code, bool(field.flags & UNSIGNED)
    if code in INTEGERS:
        return getattr(pa, f"{'u' if unsigned else ''}int{INTEGERS[code]}")()
    if code in DECIMALS:
        return _decimal(field, unsigned=unsigned)
    known: dict[int, Callable[[], pa.DataType]] = {
        FLOAT: pa.float32,
        DOUBLE: pa.float64,
        NULL: pa.null,
        BIT: pa.uint64,
        JSON: pa.string,
        GEOMETRY: pa.binary,
        **dict.fromkeys(DATES, pa.date32),
        **dict.fromkeys(TIMES, lambda: pa.duration("us")),
        **dict.fromkeys(MOMENTS, lambda: pa.timestamp("us")),
    }
    text = pa.binary if field.charsetnr == BINARY_CHARSET else pa.string
    return known.get(code, text)()


def _decimal(field: Any, *, unsigned: bool) -> pa.DataType:
    """Exact: the length that the server names counts the sign and the point."""
    from moorings.dialects.arrow.columns import decimal_type

    precision = field.length - (0 if unsigned else 1) - (1 if field.scale else 0)
    return decimal_type(max(precision, field.scale, 1), field.scale)


def batch(rows: Sequence[Sequence[bytes | None]], schema: pa.Schema, bits: Sequence[bool]) -> pa.RecordBatch:
    """Rows of raw values as a record batch; `bits` says which columns are BIT, whose values are no digits."""
    import pyarrow as pa

    described = zip(zip(*rows, strict=True), schema, bits, strict=True)
    columns = [_bits(values) if is_bit else column(values, field.type) for values, field, is_bit in described]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def column(values: Sequence[bytes | None], kind: pa.DataType) -> pa.Array:
    """One column of raw values in its type."""
    import pyarrow as pa

    if pa.types.is_null(kind):
        return pa.nulls(len(values))
    raw = pa.array(values, pa.binary())
    if pa.types.is_binary(kind):
        return raw
    texts = _texts(raw, values)
    if pa.types.is_duration(kind):
        return _durations(texts)
    if pa.types.is_date32(kind) or pa.types.is_timestamp(kind):
        return _dates(texts, kind)
    return texts if pa.types.is_string(kind) else texts.cast(kind)


def _bits(values: Sequence[bytes | None]) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if value is None else int.from_bytes(value, "big") for value in values], pa.uint64())


def _texts(raw: pa.Array, values: Sequence[bytes | None]) -> pa.Array:
    import pyarrow as pa

    with contextlib.suppress(pa.ArrowInvalid):
        return raw.cast(pa.string())
    return pa.array([None if value is None else value.decode("utf-8", "replace") for value in values], pa.string())


def _dates(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Dates and moments, with null for those that do not exist."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        real = pc.invert(pc.match_substring_regex(texts, ZERO_PARTS))
        return pc.if_else(real, texts, pa.scalar(None, pa.string())).cast(kind)


def _durations(texts: pa.Array) -> pa.Array:
    """TIME, which runs from -838:59:59 to 838:59:59, in microseconds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = pc.extract_regex(texts, PARTS_OF_A_TIME)
    hours, minutes, seconds = (
        pc.struct_field(parts, name).cast(pa.int64()) for name in ("hours", "minutes", "seconds")
    )
    fraction = pc.utf8_rpad(pc.struct_field(parts, "fraction"), 6, "0").cast(pa.int64())
    whole = pc.add(pc.multiply(pc.add(pc.multiply(hours, 60), minutes), 60), seconds)
    ticks = pc.add(pc.multiply(whole, 1_000_000), fraction)
    negative = pc.equal(pc.struct_field(parts, "sign"), "-")
    return pc.if_else(negative, pc.negate(ticks), ticks).cast(pa.duration("us"))
