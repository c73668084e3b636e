"""Arrow columns as trees: the arrays of values inside lists, structs, maps and unions. Imports pyarrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
from pyarrow import types


def leaves(column: pa.Array) -> Iterator[pa.Array]:
    """The arrays of a column that are not nested, each with all its values."""
    kind = column.type
    if types.is_map(kind):
        yield from leaves(column.keys)
        yield from leaves(column.items)
    elif types.is_struct(kind) or types.is_union(kind):
        for place in range(kind.num_fields):
            yield from leaves(column.field(place))
    elif types.is_nested(kind):
        yield from leaves(column.values)
    else:
        yield column


def leaf_types(kind: pa.DataType) -> Iterator[pa.DataType]:
    """The types of those arrays."""
    if types.is_map(kind):
        yield from leaf_types(kind.key_type)
        yield from leaf_types(kind.item_type)
    elif types.is_struct(kind) or types.is_union(kind):
        for place in range(kind.num_fields):
            yield from leaf_types(kind.field(place).type)
    elif types.is_nested(kind):
        yield from leaf_types(kind.value_type)
    else:
        yield kind


def replaced(column: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """A column with each leaf changed; a change may give a leaf another type, but not another length."""
    kind = column.type
    if not types.is_nested(kind):
        return change(column)
    if column.offset:
        column = pa.concat_arrays([column])  # a mask and offsets that begin at 0, as the constructors require
    mask = column.is_null() if column.null_count else None
    if types.is_map(kind):
        keys, items = replaced(column.keys, change), replaced(column.items, change)
        return pa.MapArray.from_arrays(column.offsets, keys, items, mask=mask)
    if types.is_struct(kind):
        parts = [replaced(part, change) for part in column.flatten()]
        fields = [field.with_type(part.type) for field, part in zip(kind, parts, strict=True)]
        return pa.StructArray.from_arrays(parts, fields=fields, mask=mask)
    if types.is_union(kind):
        return _union(column, change)
    return _list(column, change, mask)


def _list(column: pa.Array, change: Callable[[pa.Array], pa.Array], mask: pa.Array | None) -> pa.Array:
    kind = column.type
    values = replaced(column.values, change)
    field = kind.value_field.with_type(values.type)
    if types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(values, type=pa.list_(field, kind.list_size), mask=mask)
    if types.is_large_list(kind):
        return pa.LargeListArray.from_arrays(column.offsets, values, type=pa.large_list(field), mask=mask)
    return pa.ListArray.from_arrays(column.offsets, values, type=pa.list_(field), mask=mask)


def _union(column: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    kind = column.type
    children = [replaced(column.field(place), change) for place in range(kind.num_fields)]
    names = [kind.field(place).name for place in range(kind.num_fields)]
    if kind.mode == "dense":
        return pa.UnionArray.from_dense(column.type_codes, column.offsets, children, names, list(kind.type_codes))
    return pa.UnionArray.from_sparse(column.type_codes, children, names, list(kind.type_codes))
