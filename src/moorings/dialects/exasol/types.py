"""Converts Exasol's columns from JSON to Arrow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from moorings.dialects.arrow import columns as arrow_columns

WHOLE_DIGITS = 18
"""So many digits always fit into 64 bits."""
MICROSECONDS = len("2020-02-29 12:34:56.123456")
ZONED = "TIMESTAMP WITH LOCAL TIME ZONE"


def arrow_type(described: Mapping[str, Any]) -> pa.DataType:
    """The Arrow type of a column, from the server's description."""
    kind = described["type"]
    if kind == "DECIMAL":
        return _decimal(described["precision"], described["scale"])
    if kind == ZONED or described.get("withLocalTimeZone"):
        return pa.timestamp("us", "UTC")
    known = {"BOOLEAN": pa.bool_(), "DOUBLE": pa.float64(), "DATE": pa.date32(), "TIMESTAMP": pa.timestamp("us")}
    return known.get(kind, pa.string())


def declared_type(column_type: str) -> str:
    """The Arrow type of a column, from its definition such as `DECIMAL(10,2)`, as Arrow writes it."""
    sized = re.match(r"DECIMAL\((\d+), ?(\d+)\)", column_type)
    if sized:
        return str(_decimal(int(sized[1]), int(sized[2])))
    kind = re.sub(r"\(\d+\)", "", column_type)
    return str(arrow_type({"type": ZONED if kind == ZONED else kind.partition(" ")[0]}))


def _decimal(precision: int, scale: int) -> pa.DataType:
    return pa.int64() if not scale and precision <= WHOLE_DIGITS else arrow_columns.decimal_type(precision, scale)


def column(values: Sequence[Any], kind: pa.DataType, zone: str) -> pa.Array:
    """Values of a result as one column. Times with a time zone arrive in the session's zone."""
    if pa.types.is_date32(kind):
        return pa.array(values, pa.string()).cast(kind)
    if not pa.types.is_timestamp(kind):
        return arrow_columns.column(values, kind)
    moments = pc.utf8_slice_codeunits(pa.array(values, pa.string()), 0, MICROSECONDS).cast(pa.timestamp("us"))
    if kind.tz is None:
        return moments
    return pc.assume_timezone(moments, zone, ambiguous="earliest", nonexistent="earliest").cast(kind)
