"""Columns of MySQL's text protocol as Arrow: the driver's own converters cost more than the query."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

BINARY_CHARSET = 63
UNSIGNED, BINARY = 32, 128
"""Flags of a column; see https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__column__definition__flags.html."""

INTEGERS = {1: 8, 2: 16, 3: 32, 8: 64, 9: 32, 13: 16}
"""Type code → bits: TINYINT, SMALLINT, INT, BIGINT, MEDIUMINT, YEAR."""
DECIMALS, FLOAT, DOUBLE, NULL = (0, 246), 4, 5, 6
DATES, TIMES, MOMENTS = (10, 14), (11,), (7, 12)
BIT, JSON, GEOMETRY = 16, 245, 255

PARTS_OF_A_TIME = r"^(?P<sign>-?)(?P<hours>\d+):(?P<minutes>\d+):(?P<seconds>\d+)(?:\.(?P<fraction>\d+))?$"
PASSES_BYTES = re.compile(r"\b(?:over|union|except|intersect)\b", re.IGNORECASE)
"""Words that make a statement's bits arrive as bytes although they are in no table."""


def column_type(field: Any) -> pa.DataType:
    """The Arrow type of a column, from the server's description."""
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
    """Exact: the server's length includes the sign and the point."""
    from moorings.dialects.arrow.columns import decimal_type

    precision = field.length - (0 if unsigned else 1) - (1 if field.scale else 0)
    return decimal_type(max(precision, field.scale, 1), field.scale)


def batch(rows: Sequence[Sequence[bytes | None]], schema: pa.Schema, bits: Sequence[Bits | None]) -> pa.RecordBatch:
    """Rows of raw values as a record batch; `bits` reads the columns that are BIT."""
    import pyarrow as pa

    described = zip(zip(*rows, strict=True), schema, bits, strict=True)
    columns = [column(values, field.type) if read is None else read(values) for values, field, read in described]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


class Bits:
    """Reads one column of BIT, whose values are bytes, or digits where a function of the server made them.

    The server does not show which. A column of a table, also of a temporary one, has no BINARY flag and arrives as
    bytes. Other columns: functions and aggregates send digits, unions and window functions send bytes. The form of a
    value decides: bytes have exactly the length that the bits need, and digits have no other characters. MariaDB 10.11,
    MySQL 8.4.
    """

    def __init__(self, field: Any, sql: str) -> None:
        self._width = (field.length + 7) // 8
        self._digits = None if field.flags & BINARY else False
        self._guess = not PASSES_BYTES.search(sql)

    def __call__(self, values: Sequence[bytes | None]) -> pa.Array:
        """The column's values as integers."""
        import pyarrow as pa

        if self._digits is None:
            self._digits = self._evidence(values)
        digits = self._guess if self._digits is None else self._digits
        read: Callable[[bytes], int] = int if digits else _number
        return pa.array([None if value is None else read(value) for value in values], pa.uint64())

    def _evidence(self, values: Sequence[bytes | None]) -> bool | None:
        """Whether values are digits; None when all of them could be either."""
        for value in values:
            if value is not None and not value.isdigit():
                return False
            if value is not None and len(value) != self._width:
                return True
        return None


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")


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


def _texts(raw: pa.Array, values: Sequence[bytes | None]) -> pa.Array:
    import pyarrow as pa

    with contextlib.suppress(pa.ArrowInvalid):
        return raw.cast(pa.string())
    return pa.array([None if value is None else value.decode("utf-8", "replace") for value in values], pa.string())


def _dates(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Dates and timestamps, with null for invalid ones."""
    import pyarrow as pa

    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        kept = [text if text is not None and _is_date(text) else None for text in texts.to_pylist()]
        return pa.array(kept, pa.string()).cast(kind)


def _is_date(text: str) -> bool:
    """Whether a date is valid, unlike 2024-04-31 or 0000-00-00; dates in the year 0 can be."""
    year, month, day = text[:10].split("-")
    with contextlib.suppress(ValueError):
        datetime.date(int(year) or 2000, int(month), int(day))
        return text[:10] != "0000-00-00"
    return False


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
