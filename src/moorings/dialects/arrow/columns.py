"""Converts Arrow data to the promised types.

No extension types, decimals where a precision is declared, no metadata of drivers. Also builds columns from rows, for
drivers without Arrow.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from moorings import errors

if TYPE_CHECKING:
    import pyarrow as pa

TYPE, NUMERIC = b"moorings.type", b"numeric"
"""Key and value of a field's metadata: its text, or the text in its lists, contains numbers."""
MAX_PRECISION_128, MAX_PRECISION_256 = 38, 76
UUID_PARTS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31 in days since 1970: the range of Python, JSON and most Arrow readers."""
SECONDS_A_DAY = 86_400
NOT_FINITE = (("(?i)^nan$", "NaN"), ("(?i)^(-?)inf(inity)?$", r"\1Infinity"))
NO_DECIMAL = "A number of the result is NaN or infinite. Arrow's decimals cannot hold it: cast it to double or text."
TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """A schema in types that every Arrow reader supports."""
    import pyarrow as pa

    return pa.schema([pa.field(field.name, _plain_type(field), True, _plain_metadata(field)) for field in schema])


def _plain_metadata(field: pa.Field) -> dict[bytes, bytes] | None:
    """Whether a field's text contains numbers."""
    import pyarrow as pa

    kind = field.type.value_type if pa.types.is_list(field.type) else field.type
    if getattr(kind, "type_name", None) != "numeric":
        return None
    return {TYPE: NUMERIC} if kind is not field.type or pa.types.is_string(_plain_type(field)) else None


def _plain_type(field: pa.Field) -> pa.DataType:
    import pyarrow as pa

    kind = field.type
    if getattr(kind, "type_name", None) == "numeric":
        declared = declared_numeric((field.metadata or {}).get(b"POSTGRESQL:typmod", b"-1"))
        return decimal_type(*declared) if declared else pa.string()
    return _bare_type(kind)


def _bare_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if isinstance(kind, pa.UuidType):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_bare_type(kind.value_type))
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def declared_numeric(typmod: bytes) -> tuple[int, int] | None:
    """Precision and scale of a PostgreSQL numeric, from its type modifier; None where none is declared."""
    number = int(typmod) - 4
    precision, scale = number >> 16, number & 0x7FF
    usable = number >= 0 and 0 < precision <= MAX_PRECISION_256 and 0 <= scale <= precision
    return (precision, scale) if usable else None


def decimal_type(precision: int, scale: int) -> pa.DataType:
    """The narrower of Arrow's two decimals."""
    import pyarrow as pa

    return pa.decimal128(precision, scale) if precision <= MAX_PRECISION_128 else pa.decimal256(precision, scale)


def plain(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch in a schema that `plain_schema` made."""
    import pyarrow as pa

    columns = [_plain_column(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _plain_column(column: pa.Array, target: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if isinstance(column.type, pa.UuidType):
        return uuids(column.storage)
    if getattr(column.type, "type_name", None) == "numeric" and pa.types.is_string(target):
        return number_texts(column.storage)
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_list(target):
        return _plain_list(column, target)
    if column.type == target:
        return column
    return numbers(column, target)


def _plain_list(column: pa.Array, target: pa.DataType) -> pa.Array:
    import pyarrow as pa

    values = _plain_column(column.values, target.value_type)
    return pa.ListArray.from_arrays(column.offsets, values, type=target, mask=column.is_null())


def uuids(column: pa.Array) -> pa.Array:
    """Sixteen bytes each as text, such as 3f333df6-90a4-4fda-8dd3-9485d27cee36."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = [None if value is None else value.hex() for value in column.to_pylist()]
    digits = pa.array(texts, pa.string())
    parts = [pc.utf8_slice_codeunits(digits, start, stop) for start, stop in UUID_PARTS]
    return pc.binary_join_element_wise(*parts, "-")


def number_texts(column: pa.Array) -> pa.Array:
    """Text of exact numbers, with `NaN`, `Infinity` and `-Infinity` as SQL spells them."""
    import pyarrow.compute as pc

    if not pc.any(pc.match_substring(column, "n", ignore_case=True)).as_py():
        return column
    for pattern, word in NOT_FINITE:
        column = pc.replace_substring_regex(column, pattern, word)
    return column


def numbers(column: pa.Array, target: pa.DataType) -> pa.Array:
    """Text of exact numbers as decimals; raises StatementRefused for NaN and infinity, which decimals lack."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return column.cast(target)
    except pa.ArrowInvalid:
        if not pc.any(pc.match_substring(column, "n", ignore_case=True)).as_py():
            raise
        raise errors.StatementRefused(message=NO_DECIMAL) from None


def narrow_schema(schema: pa.Schema) -> pa.Schema:
    """A schema without the wide variants that some drivers prefer, and with UTC under its name."""
    import pyarrow as pa

    return pa.schema([pa.field(field.name, _narrow_type(field.type), nullable=True) for field in schema])


def _narrow_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_binary(kind):
        return pa.binary()
    zoned = pa.types.is_timestamp(kind) and kind.tz is not None
    return pa.timestamp(kind.unit, "UTC") if zoned else kind


def narrow(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch in a schema that `narrow_schema` made."""
    import pyarrow as pa

    described = zip(batch.columns, schema, strict=True)
    columns = [column if column.type == field.type else column.cast(field.type) for column, field in described]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


# ---- rows → columns ---------------------------------------------------------------------------------------------


def rows_reader(schema: pa.Schema, fetch: Callable[[], Sequence[Sequence[Any]]]) -> pa.RecordBatchReader:
    """Batches of what `fetch` returns, row by row in the schema's types, until it returns none."""
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        while rows := fetch():
            yield rows_batch(rows, schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def rows_batch(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Rows as a record batch. Names may repeat or be empty: a column's position identifies it."""
    import pyarrow as pa

    columns = [column(values, field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """A driver's values as one column; raises ArrowInvalid for one that the type cannot hold exactly."""
    import pyarrow as pa

    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        convert = _converter(kind)
        return pa.array([None if value is None else convert(value) for value in values], kind)


def _converter(kind: pa.DataType) -> Callable[[Any], Any]:
    """The function that converts a driver's value to a type."""
    import pyarrow as pa

    known: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], Any]], ...] = (
        (pa.types.is_boolean, _boolean),
        (pa.types.is_integer, int),
        (pa.types.is_floating, float),
        (pa.types.is_decimal, _exact),
        (pa.types.is_string, str),
        (pa.types.is_binary, bytes),
    )
    return next((convert for is_kind, convert in known if is_kind(kind)), _as_it_is)


def _as_it_is(value: Any) -> Any:
    return value


def _boolean(value: Any) -> bool:
    return value.lower() in ("true", "t", "1") if isinstance(value, str) else bool(value)


def _exact(value: Any) -> decimal.Decimal:
    """A number as a decimal; raises StatementRefused for NaN and infinity, which Arrow's decimals lack."""
    number = value if isinstance(value, decimal.Decimal) else decimal.Decimal(str(value))
    if not number.is_finite():
        raise errors.StatementRefused(message=NO_DECIMAL)
    return number
