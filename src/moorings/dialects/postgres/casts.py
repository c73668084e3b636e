"""Casts for PostgreSQL types that the driver cannot read.

The driver lacks many of the server's types, and reads others wrongly: it flattens arrays of several dimensions, reads
oid as signed and money as cents, and fails at a composite value. The types of a result are known before it runs, so the
statement is wrapped in one that casts such columns: `select` builds its list of columns, `present` converts the result
to the promised types.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from moorings import errors

SOURCES = (
    "SELECT {columns} FROM (\n{sql}\n) AS source({names})",
    "WITH source({names}) AS (\n{sql}\n) SELECT {columns} FROM source",
)
"""Forms that wrap a statement in another; the second form also accepts statements that write and return rows."""
TEXT = "CASE WHEN num_nulls({column}) = 0 THEN format('%s', {column}) END"
"""A value in the server's output form; for some types a cast to text differs: inet would get a `/32`."""
SCALARS = {
    "oid": "{column}::int8",
    "money": TEXT,
    "char": TEXT,
    "regproc": TEXT,
    "oidvector": "{column}::oid[]::int8[]",
    "int2vector": "{column}",
}
"""Types → their casts. Vectors always have one dimension."""
AS_TEXTS = "::text::text[]"
ELEMENTS = {"_oid": "::int8[]", **dict.fromkeys(("_money", "_record", "_char", "_regproc"), AS_TEXTS)}
"""Array types → a cast, for elements that the driver reads wrongly."""
ARRAY = (
    "CASE WHEN array_ndims({column}) > 1 THEN NULL"
    " WHEN array_lower({column}, 1) NOT IN (0, 1) THEN ({column})[:]{cast} ELSE {column}{cast} END"
)
"""An array, if it has one dimension; its lower bound has no place in Arrow."""
SEVERAL = "CASE WHEN array_ndims({column}) > 1 THEN {column}::text END"
"""An array as text, if it has several dimensions."""


@dataclass(frozen=True, slots=True)
class Select:
    """The columns to request: expressions over c0, c1, …, followed by the text of each array in `arrays`."""

    expressions: tuple[str, ...]
    arrays: tuple[int, ...]

    def around(self, sql: str) -> Iterator[str]:
        """Statements that request these columns, the better one first; the server may refuse both."""
        names = ", ".join(f"c{place}" for place in range(len(self.expressions)))
        texts = (SEVERAL.format(column=f"c{place}") for place in self.arrays)
        columns = ", ".join((*self.expressions, *texts))
        for source in SOURCES:
            yield source.format(columns=columns, names=names, sql=sql)


def unnamed(schema: pa.Schema) -> list[int]:
    """The numbers of the server's types that the driver does not know."""
    names = (type_name(field) for field in schema)
    return [int(name[len("unnamed<oid:") : -1]) for name in names if name.startswith("unnamed<oid:")]


def type_name(field: pa.Field) -> str:
    """The server's name of a column's type, from the driver."""
    return (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode()


KNOWN_ELEMENTS = frozenset(
    {
        *("bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "bpchar"),
        *("bytea", "date", "time", "timestamp", "timestamptz", "uuid"),
    }
)
"""Types whose arrays the driver reads, under the names of their elements."""


def array_cast(element: str) -> str:
    """The cast of an array type that the driver does not know, by its element's type without domains."""
    return f"::{element}[]" if element in KNOWN_ELEMENTS else AS_TEXTS


def select(schema: pa.Schema, arrays: Mapping[int, str]) -> Select | None:
    """The columns to request for a result of this schema; None if it needs no casts.

    `arrays` are the casts of array types, by their numbers, among those that `unnamed` found.
    """
    expressions: list[str] = []
    guarded: list[int] = []
    for place, field in enumerate(schema):
        cast = _elements(field, arrays)
        if cast is not None:
            guarded.append(place)
        expression = _scalar(field) if cast is None else ARRAY.replace("{cast}", cast)
        expressions.append(expression.replace("{column}", f"c{place}"))
    plain = [f"c{place}" for place in range(len(schema))]
    return Select(tuple(expressions), tuple(guarded)) if guarded or expressions != plain else None


def _elements(field: pa.Field, arrays: Mapping[int, str]) -> str | None:
    """The cast of an array of any number of dimensions; None for everything else."""
    name, kind = type_name(field), field.type
    if name in SCALARS:
        return None
    if pa.types.is_list(kind):
        return ELEMENTS.get(name, AS_TEXTS if _unknown(kind.value_type) else "")
    return {f"unnamed<oid:{number}>": cast for number, cast in arrays.items()}.get(name)


def _scalar(field: pa.Field) -> str:
    return SCALARS.get(type_name(field), TEXT if _unknown(field.type) else "{column}")


def _unknown(kind: pa.DataType) -> bool:
    opaque = isinstance(kind, pa.OpaqueType) and kind.storage_type == pa.binary()
    return opaque or pa.types.is_struct(kind)


def present(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], names: Sequence[str], select: Select | None
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The schema and batches of a result, under its own names.

    A column whose first rows hold an array of several dimensions is text, as PostgreSQL writes it; otherwise such an
    array further down raises StatementRefused, since Arrow's lists have one type in all rows.
    """
    fields = [field.with_name(name) for field, name in zip(schema, names, strict=False)]
    arrays = select.arrays if select else ()
    if not arrays:
        return pa.schema(fields), (
            pa.RecordBatch.from_arrays(batch.columns, schema=pa.schema(fields)) for batch in batches
        )
    first = next((batch for batch in batches if batch.num_rows), None)
    for text, place in enumerate(arrays, len(names)):
        if first is not None and first.column(text).null_count < first.num_rows:
            fields[place] = pa.field(names[place], pa.string())
    shape = pa.schema(fields)
    rest = itertools.chain([first] if first is not None else [], batches)
    return shape, (_merged(batch, shape, arrays) for batch in rest)


def _merged(batch: pa.RecordBatch, schema: pa.Schema, arrays: Sequence[int]) -> pa.RecordBatch:
    columns = list(batch.columns)
    for text, place in enumerate(arrays, len(schema)):
        merge = _texts if pa.types.is_string(schema.field(place).type) else _lists
        merged = merge(columns[place], columns[text])
        if merged is None:
            raise errors.StatementRefused(
                message=f"The arrays of column {schema.field(place).name} differ in dimensions. Cast it to text."
            )
        columns[place] = merged
    return pa.RecordBatch.from_arrays(columns[: len(schema)], schema=schema)


def _lists(lists: pa.Array, texts: pa.Array) -> pa.Array | None:
    """The arrays of one dimension; None when there are others."""
    return lists if texts.null_count == len(texts) else None


def _texts(lists: pa.Array, texts: pa.Array) -> pa.Array | None:
    """The arrays of several dimensions, and the empty ones, which have none; None when there are others."""
    listed = pc.is_valid(lists)
    if pc.any(pc.and_(listed, pc.greater(pc.fill_null(pc.list_value_length(lists), 0), 0))).as_py():
        return None
    return pc.if_else(listed, pa.scalar("{}"), texts)
