"""Formats of results: the encoder of each negotiated media type."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from moorings.api.http.negotiation import ARROW, CSV, JSON, NDJSON, PARQUET, XLSX, Choice
from moorings.api.results.encoders import ArrowEncoder, CsvEncoder, Encoder, JsonEncoder, NdjsonEncoder
from moorings.api.results.files import ParquetEncoder, XlsxEncoder

ENCODERS: Mapping[str, Callable[[Choice], Encoder]] = {
    ARROW: lambda choice: ArrowEncoder(choice.codec),
    JSON: lambda _: JsonEncoder(),
    NDJSON: lambda _: NdjsonEncoder(),
    CSV: lambda _: CsvEncoder(),
    PARQUET: lambda _: ParquetEncoder(),
    XLSX: lambda _: XlsxEncoder(),
}
"""Media type → its encoder."""


def encoder(choice: Choice, *, bom: bool = False, escape_formulas: bool = False) -> Encoder:
    """A new encoder for the negotiated format; `bom` and `escape_formulas` apply to CSV only."""
    if choice.media_type == CSV:
        return CsvEncoder(bom=bom, escape_formulas=escape_formulas)
    return ENCODERS[choice.media_type](choice)
