"""One row as JSON, built from bytes: for a very long value, Arrow's kernels would need several times its size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyarrow import types

from moorings.api.results import cells

if TYPE_CHECKING:
    import pyarrow as pa


def json_array(columns: Sequence[pa.Array], opening: bytes) -> bytes:
    """The row as an array, such as `[1,"a"]`; `opening` is the text before the first value."""
    parts = [part for column in columns for part in (b",", *_value(column))]
    return b"".join([opening, *parts[1:], b"]"])


def json_object(names: Sequence[str], columns: Sequence[pa.Array]) -> bytes:
    """The row as an object and a line feed."""
    parts: list[bytes] = []
    for name, column in zip(names, columns, strict=True):
        parts += [b",", json.dumps(name, ensure_ascii=False).encode(), b":", *_value(column)]
    return b"".join([b"{", *parts[1:], b"}\n"])


def _value(column: pa.Array) -> list[bytes]:
    column = cells.plain(column)
    if column.null_count or not types.is_large_string(column.type):
        return [cells.content(cells.json_values(column))]
    text = cells.content(column)
    for byte in cells.to_escape(text):
        text = text.replace(bytes([byte]), cells.ESCAPES[byte].encode())
    return [b'"', text, b'"']
