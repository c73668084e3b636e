"""BigQuery's types as Arrow's: of a result's columns, and of a table's as INFORMATION_SCHEMA writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

PLAIN: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("BOOL", "BOOLEAN"), ("bool_",)),
    **dict.fromkeys(("INT64", "INTEGER"), ("int64",)),
    **dict.fromkeys(("FLOAT64", "FLOAT"), ("float64",)),
    "NUMERIC": ("decimal128", 38, 9),
    "BIGNUMERIC": ("decimal256", 76, 38),
    "BYTES": ("binary",),
    "DATE": ("date32",),
    "TIME": ("time64", "us"),
    "DATETIME": ("timestamp", "us"),
    "TIMESTAMP": ("timestamp", "us", "UTC"),
    "INTERVAL": ("month_day_nano_interval",),
}
"""A type that holds no others, by both of its names → the function of pyarrow that makes Arrow's, and its arguments.

All others are text: STRING, JSON, GEOGRAPHY.
"""


def column_type(field: Any) -> pa.DataType:
    """The type of a result's column, a SchemaField."""
    import pyarrow as pa

    if field.field_type in ("RECORD", "STRUCT"):
        found = pa.struct([pa.field(part.name, column_type(part)) for part in field.fields])
    elif field.field_type == "RANGE":
        found = _range(_plain(field.range_element_type.element_type))
    else:
        found = _plain(field.field_type)
    return pa.list_(found) if field.mode == "REPEATED" else found


def arrow_type(native: str) -> str:
    """The type of a column in the form of INFORMATION_SCHEMA.COLUMNS: `ARRAY<STRUCT<a INT64, b NUMERIC(10, 2)>>`."""
    return str(_parsed(re.findall(r"`[^`]+`|\w+|[<>,]", re.sub(r"\([^()]*+\)", "", native))))


def _parsed(words: list[str]) -> pa.DataType:
    """The type that the words begin with; takes them off the list."""
    import pyarrow as pa

    word = words.pop(0)
    if word not in ("ARRAY", "STRUCT", "RANGE"):
        return _plain(word)
    words.pop(0)
    if word == "STRUCT":
        return pa.struct(list(_parts(words)))
    inner = _parsed(words)
    words.pop(0)
    return pa.list_(inner) if word == "ARRAY" else _range(inner)


def _parts(words: list[str]) -> Iterator[pa.Field]:
    import pyarrow as pa

    while words:
        name = words.pop(0).strip("`")
        yield pa.field(name, _parsed(words))
        if words.pop(0) == ">":
            return


def _range(bound: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return pa.struct([pa.field("start", bound), pa.field("end", bound)])


def _plain(name: str) -> pa.DataType:
    import pyarrow as pa

    function, *arguments = PLAIN.get(name, ("string",))
    return getattr(pa, function)(*arguments)
