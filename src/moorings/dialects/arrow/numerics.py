"""Exact numbers without a declared precision, which arrive as text: marked as numeric, and on request as another type.

Imports pyarrow.
"""

from __future__ import annotations

import re

import pyarrow as pa
from pyarrow import types

from moorings import errors
from moorings.dialects.arrow.columns import NUMERIC, TYPE, decimal_type
from moorings.dialects.arrow.leaves import leaf_types, replaced

DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")


def marked(field: pa.Field) -> pa.Field:
    """A field whose metadata marks its text as numbers."""
    return field.with_metadata({**(field.metadata or {}), TYPE: NUMERIC})


def is_marked(field: pa.Field) -> bool:
    """Whether a field's metadata marks its text as numbers."""
    return (field.metadata or {}).get(TYPE) == NUMERIC


class As:
    """Converts numeric texts to the requested type: `double`, or `decimal(p,s)`."""

    def __init__(self, schema: pa.Schema, requested: str) -> None:
        self._kind = _kind(requested)
        self._type = requested
        self._places = [place for place, field in enumerate(schema) if is_marked(field) and _is_text(field.type)]
        fields = list(schema)
        for place in self._places:
            empty = replaced(pa.nulls(0, fields[place].type), lambda leaf: leaf.cast(self._kind))
            fields[place] = fields[place].with_type(empty.type)
        self.schema = pa.schema(fields)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch with its numbers in that type; raises StatementRefused for one that does not fit."""
        columns = list(batch.columns)
        for place in self._places:
            columns[place] = replaced(columns[place], lambda leaf, at=place: self._converted(leaf, at))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _converted(self, texts: pa.Array, place: int) -> pa.Array:
        try:
            return texts.cast(self._kind)
        except pa.ArrowInvalid:
            name = self.schema.field(place).name
            raise errors.StatementRefused(
                message=f"A value of column {name} does not fit numericAs {self._type}. Choose a wider type, or text."
            ) from None


def _is_text(kind: pa.DataType) -> bool:
    return all(types.is_string(leaf) for leaf in leaf_types(kind))


def _kind(requested: str) -> pa.DataType:
    found = DECIMAL.fullmatch(requested)
    return decimal_type(int(found[1]), int(found[2])) if found else pa.float64()
