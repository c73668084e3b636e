"""What callers get of record batches: rows of Python values, and tables with exact numbers as decimals."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pyarrow as pa

TYPE, NUMERIC = b"moorings.type", b"numeric"
"""The metadata of a field whose text is an exact number: one without a declared precision."""
PLAIN = r"^-?\d{1,76}(\.\d{1,76})?$"
SMALL, LARGE = 38, 76
"""The digits of Arrow's two decimals."""


def is_numeric(field: pa.Field) -> bool:
    """Whether a column of text has exact numbers."""
    return (field.metadata or {}).get(TYPE) == NUMERIC


def is_text(field: pa.Field) -> bool:
    """Whether a column is of text, not of lists of it."""
    from pyarrow import types

    return types.is_string(field.type) or types.is_large_string(field.type) or types.is_string_view(field.type)


def tuples(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    """The rows of a batch."""
    if not batch.num_columns:
        return [()] * batch.num_rows
    return list(zip(*(_values(field, batch.column(at)) for at, field in enumerate(batch.schema)), strict=True))


def _values(field: pa.Field, column: pa.Array) -> list[Any]:
    from pyarrow import types

    kind = field.type
    nanoseconds = types.is_timestamp(kind) or types.is_time(kind) or types.is_duration(kind)
    if nanoseconds and kind.unit == "ns":  # Python's times have microseconds
        column = column.cast(_with_microseconds(kind), safe=False)
    values = column.to_pylist()
    return _decimal(values) if is_numeric(field) else values


def _with_microseconds(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.time64("us") if pa.types.is_time(kind) else pa.duration("us")


def _decimal(value: Any) -> Any:
    """An exact number, or a list of them. NaN and infinities are decimals too; other text stays text."""
    if isinstance(value, list):
        return [_decimal(each) for each in cast("list[Any]", value)]
    try:
        return Decimal(value) if isinstance(value, str) else value
    except InvalidOperation:
        return value


def with_decimals(table: pa.Table, most: int = LARGE) -> pa.Table:
    """The table with each column of exact numbers as decimals, if all of them fit `most` digits; else it stays text."""
    for at, field in enumerate(table.schema):
        if is_text(field) and is_numeric(field) and (kind := _fitting(table.columns[at], most)) is not None:
            table = table.set_column(at, field.with_type(kind), table.columns[at].cast(kind))
    return table


def _fitting(column: pa.ChunkedArray, most: int) -> pa.DataType | None:
    """The decimal type that holds every number of a column; None if none does."""
    import pyarrow as pa
    from pyarrow import compute

    plain = compute.all(compute.match_substring_regex(column, PLAIN)).as_py()
    if plain is None:  # no rows, or nulls alone
        return pa.decimal128(SMALL, 0)
    if not plain:
        return None
    whole = _longest(compute.replace_substring_regex(column, r"^-?0*(\d*).*$", r"\1"))
    scale = _longest(compute.replace_substring_regex(column, r"^[^.]*\.?", ""))
    if whole + scale > most:
        return None
    return (pa.decimal128 if whole + scale <= SMALL else pa.decimal256)(max(whole + scale, 1), scale)


def for_polars(table: pa.Table) -> pa.Table:
    """The table as polars can hold it: names that differ, and no decimals of more than 38 digits."""
    import pyarrow as pa

    table = with_decimals(table, SMALL)
    for at, field in enumerate(table.schema):
        if pa.types.is_decimal256(field.type):
            table = table.set_column(at, field.with_type(pa.string()), table.columns[at].cast(pa.string()))
    return table.rename_columns(distinct(table.schema.names))


def _longest(texts: Any) -> int:
    from pyarrow import compute

    return compute.max(compute.utf8_length(texts)).as_py() or 0


def distinct(columns: list[str]) -> list[str]:
    """The names of columns, each of them once: `name`, `name_2`."""
    taken = set[str]()
    names = list[str]()
    for name in columns:
        distinct, count = name, 1
        while distinct in taken or (count > 1 and distinct in columns):
            count += 1
            distinct = f"{name}_{count}"
        taken.add(distinct)
        names.append(distinct)
    return names
