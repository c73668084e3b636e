"""Converts Snowflake's types to Arrow's, by the server's description of a column: results and catalog must agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

FIXED, DATE, TIMESTAMP, LTZ, TZ, NTZ, TIME = 0, 3, 4, 6, 7, 8, 12
"""The driver's codes of types whose promised Arrow type differs from the driver's."""
SMALL_DIGITS = 18
"""Any number with this many digits fits into 64 bits."""


def column_type(described: Any, found: pa.DataType) -> pa.DataType:
    """The type of a result's column. The driver's own choice depends on the values of a batch, so it is not used."""
    import pyarrow as pa

    from moorings.dialects.arrow.columns import decimal_type

    code = described.type_code
    if code == FIXED and not (pa.types.is_integer(found) or pa.types.is_decimal(found)):
        return found
    if code == FIXED:
        precision, scale = described.precision or 38, described.scale or 0
        return pa.int64() if scale == 0 and precision <= SMALL_DIGITS else decimal_type(precision, scale)
    if code in (TIMESTAMP, NTZ):
        return pa.timestamp("us")
    if code in (LTZ, TZ):
        return pa.timestamp("us", tz="UTC")
    return pa.time64("us") if code == TIME else found


def result_schema(description: Sequence[Any], found: pa.Schema) -> pa.Schema:
    """The schema of a result, from its description and the driver's first batch."""
    import pyarrow as pa

    pairs = zip(description, found, strict=True)
    return pa.schema([pa.field(described.name, column_type(described, field.type)) for described, field in pairs])


def batch(found: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch of the driver's in a result's schema; raises ArrowInvalid if a value does not fit."""
    import pyarrow as pa

    columns = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(found.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


ARROW = {
    "BOOLEAN": "bool",
    "FLOAT": "double",
    "TEXT": "string",
    "BINARY": "binary",
    "DATE": "date32[day]",
    "TIME": "time64[us]",
    "TIMESTAMP_NTZ": "timestamp[us]",
    "TIMESTAMP_LTZ": "timestamp[us, tz=UTC]",
    "TIMESTAMP_TZ": "timestamp[us, tz=UTC]",
    "VARIANT": "string",
    "OBJECT": "string",
    "ARRAY": "string",
}
"""DATA_TYPE of INFORMATION_SCHEMA → the Arrow type of a result."""


def arrow_type(name: str, precision: int | None, scale: int | None) -> str | None:
    """The Arrow type of a table's column; None if only a result shows it."""
    if name != "NUMBER" or precision is None:
        return ARROW.get(name)
    return "int64" if not scale and precision <= SMALL_DIGITS else f"decimal128({precision}, {scale or 0})"


def native_type(name: str, precision: int | None, scale: int | None, length: int | None) -> str:
    """A column's type as in DDL."""
    if name == "NUMBER" and precision is not None:
        return f"NUMBER({precision},{scale or 0})"
    return f"VARCHAR({length})" if name == "TEXT" and length else name
