"""Values for the placeholders of a statement, sent as text and converted by the server to the type that it needs.

The driver would bind each value with the value's own type, and `created_at > $1` with a text would compare a time with
a text. So each placeholder becomes `($1::text::timestamptz)`, with the type that the server reports for it. Imports
pyarrow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from moorings import errors

TOKEN = re.compile(
    r"""--[^\r\n]*
    |[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
    |'(?:[^']|'')*(?:'|\Z)
    |"(?:[^"]|"")*(?:"|\Z)
    |(?P<tag>\$(?:[^\W\d]\w*)?\$)
    |(?P<comment>/\*)
    |\$(?P<number>\d+)
    |[^\W\d][\w$]*
    |.""",
    re.DOTALL | re.VERBOSE,
)
"""The next token. A name may contain dollars; dollar quotes and comments, which nest, are read to their end."""
EDGE = re.compile(r"/\*|\*/")
WIDE = frozenset({"numeric", "float4", "float8"})
INTEGERS = frozenset({"int2", "int4", "int8", "oid"})
COMMON = frozenset(
    {
        *("bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "bpchar", "name", "char"),
        *("bytea", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid", "json", "jsonb", "inet"),
        *("cidr", "macaddr", "macaddr8", "money", "oid", "xml", "point", "bit", "varbit", "tsvector", "tsquery"),
    }
)
"""Types whose names need no query to the server."""


def common_type(name: str) -> str | None:
    """A built-in type as a cast names it; None for types that users may have created."""
    return f'pg_catalog."{name}"' if name.removeprefix("_") in COMMON else None


def placeholders(sql: str) -> Iterator[tuple[int, int, int]]:
    """Start, end and number of each placeholder outside of literals, names and comments."""
    place = 0
    while (found := TOKEN.match(sql, place)) is not None:
        place = found.end()
        if found["tag"]:
            end = sql.find(found["tag"], place)
            place = len(sql) if end < 0 else end + len(found["tag"])
        elif found["comment"]:
            place = _comment_end(sql, place)
        elif found["number"]:
            yield found.start(), found.end(), int(found["number"])


def _comment_end(sql: str, place: int) -> int:
    depth = 1
    for edge in EDGE.finditer(sql, place):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)


def typed(sql: str, types: Sequence[str]) -> str:
    """A statement whose placeholders accept text and are cast to these types."""
    parts, last = list[str](), 0
    for start, end, number in placeholders(sql):
        if number <= len(types):
            parts += [sql[last:start], f"(${number}::text::{types[number - 1]})"]
            last = end
    return "".join((*parts, sql[last:]))


def texts(values: Sequence[Any], names: Sequence[str]) -> pa.RecordBatch:
    """Values as text, in one row; `names` are the server's names of the needed types."""
    columns = [pa.array([text(value, name)], pa.string()) for value, name in zip(values, names, strict=True)]
    return pa.record_batch(columns, names=[str(place) for place in range(len(columns))])


def text(value: Any, name: str) -> str | None:
    """A value in the server's input form; raises ParametersRefused for an integer beyond 64 bits."""
    if value is None:
        return None
    if isinstance(value, int) and not -(2**63) <= value < 2**64 and name not in WIDE:
        raise errors.ParametersRefused(message="A number among the parameters is too large. Send it as text.")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and name in INTEGERS:
        return str(int(value))
    return str(value)
