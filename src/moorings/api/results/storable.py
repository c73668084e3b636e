"""Converts results to types that Parquet has, with unique names. Imports pyarrow."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import types

from moorings.api.results import cells
from moorings.dialects.arrow.leaves import leaf_types


class Storable:
    """Converts batches to types that Parquet can store: intervals and unions become text."""

    def __init__(self, schema: pa.Schema) -> None:
        names = cells.distinct(schema.names)
        self._texts = [_lacks(field.type) for field in schema]
        fields = [
            pa.field(name, pa.string(), True, field.metadata) if text else field.with_name(name)
            for name, field, text in zip(names, schema, self._texts, strict=True)
        ]
        self.schema = pa.schema(fields)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch in the schema."""
        columns = [
            cells.texts(cells.plain(column)).cast(pa.string()) if text else column
            for column, text in zip(batch.columns, self._texts, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _lacks(kind: pa.DataType) -> bool:
    """Whether Parquet lacks a type, or a type nested in it."""
    return types.is_union(kind) or any(types.is_interval(leaf) or types.is_null(leaf) for leaf in leaf_types(kind))
