"""DuckDB's types that its Arrow output cannot represent: they are requested as text. Imports the driver.

Left to the driver, BIT, BIGNUM and VARIANT arrive as the engine's inner bytes, TIMETZ loses its offset, and UHUGEINT is
read as a signed number.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from moorings.dialects.arrow.beyond import noted
from moorings.dialects.arrow.numerics import marked
from moorings.dialects.introspection import Description

TEXTS = frozenset({"BIT", "BIGNUM", "TIME WITH TIME ZONE", "UHUGEINT", "VARIANT"})
NUMBERS = frozenset({"BIGNUM", "UHUGEINT"})
CONCERNED = re.compile(r"\b(?:BIT|BIGNUM|TIME WITH TIME ZONE|UHUGEINT|VARIANT)\b")


def presented(relation: duckdb.DuckDBPyRelation, max_rows: int) -> pa.RecordBatchReader:
    """The reader of a relation's rows, with its own names, and text for types that Arrow lacks."""
    natives = relation.types
    names = relation.columns
    texts = [CONCERNED.search(str(native)) is not None for native in natives]
    if any(texts):
        columns = (
            f"CAST(#{place} AS {_text_type(native)})" if as_text else f"#{place}"
            for place, (native, as_text) in enumerate(zip(natives, texts, strict=True), 1)
        )
        relation = relation.project(", ".join(columns))
    return _named(relation.to_arrow_reader(max_rows), names, natives)


def described(connection: duckdb.DuckDBPyConnection, sql: str) -> Description:
    """The columns and parameters of a statement, which does not run.

    DuckDB knows the names of parameters and not their types: they are text.
    """
    (found,) = connection.extract_statements(sql)
    parameters = pa.schema([pa.field(name, pa.string()) for name in sorted(found.named_parameters, key=_place)])
    if duckdb.ExpectedResultType.QUERY_RESULT not in found.expected_result_type:
        return Description(pa.schema([]), parameters)
    if found.type.name != "SELECT":
        return Description(None, parameters)
    rows = connection.execute(f"DESCRIBE {sql}", [None] * len(parameters) or None).fetchall()
    columns = (f"CAST(NULL AS {kind}) AS {_quoted(name)}" for name, kind, *_ in rows)
    empty = connection.sql(f"SELECT {', '.join(columns)} WHERE false")  # DuckDB's own names
    return Description(presented(empty, 1).schema, parameters)


def _place(name: str) -> tuple[int, str]:
    """Sorts `$2` before `$10`."""
    return (int(name), "") if name.isdigit() else (sys.maxsize, name)


def _quoted(name: str) -> str:
    quoted = name.replace('"', '""')
    return f'"{quoted}"'


def _named(reader: pa.RecordBatchReader, names: Sequence[str], natives: Sequence[DuckDBPyType]) -> pa.RecordBatchReader:
    """A reader with the original names: DuckDB names projected columns by their expressions."""
    fields = [field.with_name(name) for field, name in zip(reader.schema, names, strict=True)]
    fields = [
        marked(field) if str(native) in NUMBERS else noted(field, b"duckdb")
        for field, native in zip(fields, natives, strict=True)
    ]
    schema = pa.schema(fields)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _text_type(native: Any) -> str:
    """A type with VARCHAR in place of each type in TEXTS, as a cast names it."""
    if str(native) in TEXTS:
        return "VARCHAR"
    kind = native.id
    if kind in ("list", "array"):
        ((_, child), *size) = native.children
        return f"{_text_type(child)}[{size[0][1] if size else ''}]"
    if kind in ("struct", "map", "union", "tuple"):
        return _nested(kind, native)
    return str(native)


def _nested(kind: str, native: Any) -> str:
    children = native.children[1:] if kind == "union" else native.children  # the first of a union is its tag
    parts = [(name.replace('"', '""'), _text_type(child)) for name, child in children]
    if kind in ("map", "tuple"):
        return f"{kind.upper()}({', '.join(text for _, text in parts)})"
    named = ", ".join(f'"{name}" {text}' for name, text in parts)
    return f"{kind.upper()}({named})"
