"""Athena's results, which are text, as Arrow columns; and the types of tables, as the catalog writes them.

Source: https://docs.aws.amazon.com/athena/latest/ug/data-types.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

PLAIN: dict[str, tuple[Any, ...]] = {
    "boolean": ("bool_",),
    "tinyint": ("int8",),
    "smallint": ("int16",),
    **dict.fromkeys(("int", "integer"), ("int32",)),
    "bigint": ("int64",),
    **dict.fromkeys(("float", "real"), ("float32",)),
    "double": ("float64",),
    **dict.fromkeys(("varbinary", "binary"), ("binary",)),
    "date": ("date32",),
    "time": ("time64", "us"),
    "timestamp": ("timestamp", "us"),
    "timestamp with time zone": ("timestamp", "us", "UTC"),
}
"""A type, by the results' name and the catalog's → the function of pyarrow that makes Arrow's, and its arguments.

All others are text: char, varchar, string, json, uuid, intervals, array, map, row, struct.
"""
MICROSECONDS = r"^(?P<moment>\S+ [^ .]+(?:\.\d{1,6})?)\d*(?: (?P<zone>.+))?$"
"""A timestamp to the microsecond, the promised precision, and its zone."""


def column_type(about: Mapping[str, Any]) -> pa.DataType:
    """The type of a result's column, a ColumnInfo."""
    return _type(about["Type"].lower(), about.get("Precision", 0), about.get("Scale", 0))


def arrow_type(native: str) -> str:
    """The type of a table's column, as the catalog writes it: `decimal(10,2)`, `array<int>`."""
    found = re.fullmatch(r"decimal\((\d+), ?(\d+)\)", native.lower())
    precision, scale = (int(found[1]), int(found[2])) if found else (38, 0)
    return str(_type("decimal" if found else native.lower(), precision, scale))


def _type(name: str, precision: int, scale: int) -> pa.DataType:
    import pyarrow as pa

    if name == "decimal":
        return pa.decimal128(precision, scale)
    function, *arguments = PLAIN.get(name, ("string",))
    return getattr(pa, function)(*arguments)


def batch(texts: Iterator[pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    """Columns of text as a record batch; raises ArrowInvalid for a value that its type does not have."""
    import pyarrow as pa

    columns = [column(values, field.type) for values, field in zip(texts, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def column(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """One column of text in its type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_binary(kind):
        return pa.array([None if value is None else bytes.fromhex(value) for value in texts.to_pylist()], kind)
    if pa.types.is_timestamp(kind):
        return _moments(texts, kind)
    if pa.types.is_time(kind):
        return _moments(pc.binary_join_element_wise("1970-01-01", texts, " "), pa.timestamp("us")).cast(kind)
    return texts if pa.types.is_string(kind) else texts.cast(kind)


def _moments(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Timestamps; those with a zone, which each value has itself, as instants."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = pc.extract_regex(texts, MICROSECONDS)
    moments = pc.struct_field(parts, "moment").cast(pa.timestamp("us"))
    if kind.tz is None:
        return moments
    zones = pc.struct_field(parts, "zone")
    instants = pa.nulls(len(texts), kind)
    for zone in {name for name in zones.to_pylist() if name is not None}:
        there = pc.assume_timezone(moments, zone, ambiguous="earliest", nonexistent="earliest").cast(kind)
        instants = pc.if_else(pc.equal(zones, zone), there, instants)
    return instants
