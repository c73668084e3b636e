"""Results as files: Parquet, which is streamed although its footer comes last, and XLSX, which is a ZIP archive."""

from __future__ import annotations

import contextlib
import datetime
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from moorings.api.http.negotiation import PARQUET, XLSX
from moorings.api.results.encoders import ROW_COUNT, TRUNCATED, Collector, Encoder, TextEncoder
from moorings.errors import ResultTooLarge

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

GROUP_BYTES = 16 * 1024 * 1024
"""The size of row groups: each group adds an entry for each column to the footer."""


class ParquetEncoder(Encoder):
    """Parquet; its footer has `moorings.rowCount` and `moorings.truncated`. Columns of one name are numbered."""

    media_type = PARQUET
    extension = "parquet"

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._waiting: list[pa.RecordBatch] = []
        self._size = 0

    def start(self, schema: pa.Schema) -> bytes:
        """The mark that a Parquet file begins with."""
        import pyarrow.parquet as pq

        from moorings.api.results.storable import Storable

        self._storable = Storable(schema)
        self._writer = pq.ParquetWriter(Collector(self._written), self._storable.schema, compression="zstd")
        return self._taken()

    def batch(self, batch: pa.RecordBatch) -> bytes:
        """A group of rows, once there are enough for one."""
        self._waiting.append(self._storable(batch))
        self._size += batch.nbytes
        if self._size >= GROUP_BYTES:
            self._flush()
        return self._taken()

    def end(self, *, truncated: bool, row_count: int) -> bytes:
        """The last rows, and the footer."""
        self._flush()
        self._writer.add_key_value_metadata({ROW_COUNT: str(row_count), TRUNCATED: json.dumps(truncated)})
        self._writer.close()
        return self._taken()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting))
        self._waiting, self._size = [], 0

    def _taken(self) -> bytes:
        taken = b"".join(self._written)
        self._written.clear()
        return taken


# ---- XLSX ------------------------------------------------------------------------------------------------------------

MAX_SHEET_ROWS = 1_048_576
MAX_CELL_CHARACTERS = 32_767
"""Excel's own limits."""
MAX_FILE_BYTES = 1024 * 1024 * 1024
"""The largest file on disk."""
PIECE_BYTES = 1024 * 1024
FIRST_DAY = datetime.date(1900, 3, 1)
"""Excel treats 1900 as a leap year: its day numbers are correct from here on."""
DAY_ZERO = datetime.datetime(1899, 12, 30)  # noqa: DTZ001  # a day of Excel's calendar
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml."
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PARTS = {
    "[Content_Types].xml": (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{KINDS}sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{KINDS}styles+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{KINDS}worksheet+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet2.xml" ContentType="{KINDS}worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{RELATED}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{MAIN}" xmlns:r="{RELATED}"><sheets><sheet name="Result" sheetId="1" r:id="rId1"/>'
        '<sheet name="About" sheetId="2" r:id="rId2"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{RELATED}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{RELATED}/worksheet" Target="worksheets/sheet2.xml"/>'
        f'<Relationship Id="rId3" Type="{RELATED}/styles" Target="styles.xml"/></Relationships>'
    ),
    "xl/styles.xml": (
        f'<styleSheet xmlns="{MAIN}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3"><xf/>'
        '<xf numFmtId="14" applyNumberFormat="1"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>'
    ),
}
"""The parts of a workbook beside its sheets. Source: ECMA-376, part 1."""
SHEET_START, SHEET_END = f'{HEAD}<worksheet xmlns="{MAIN}"><sheetData>', "</sheetData></worksheet>"


class XlsxEncoder(TextEncoder):
    """An Excel workbook: the rows on `Result`; their number, and whether they were cut, on `About`.

    Numbers that Excel would round, and dates before March 1900, are text.
    """

    media_type = XLSX
    extension = "xlsx"
    limited = True

    def __init__(self) -> None:
        super().__init__()
        self._file: IO[bytes] | None = None
        self._row = 0
        self._done = False

    def head(self, schema: pa.Schema) -> bytes:
        """Nothing to send yet; the header goes to the file."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed once it was sent
        self._archive = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        for name, text in PARTS.items():
            self._archive.writestr(name, HEAD + text)
        self._sheet = self._archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True)
        self._sheet.write(SHEET_START.encode())
        self._write([schema.names])
        return b""

    def rows(self, columns: Sequence[pa.Array], count: int) -> bytes:
        """Nothing to send yet; raises ResultTooLarge beyond Excel's limits or the largest file."""
        from moorings.api.results.sheets import sheet_values

        cells = [sheet_values(column) for column in columns]
        self._write(list(zip(*cells, strict=True)) if cells else [()] * count)
        return b""

    def _write(self, rows: Sequence[Sequence[Any]]) -> None:
        if self._row + len(rows) > MAX_SHEET_ROWS:
            raise ResultTooLarge(message=f"Excel takes {MAX_SHEET_ROWS} rows. Send a rowLimit, or ask for CSV.")
        parts = list[str]()
        for row in rows:
            self._row += 1
            parts += ["<row>", *map(_cell, row), "</row>"]
        self._sheet.write("".join(parts).encode("utf-8", "replace"))
        if self._file is not None and self._file.tell() > MAX_FILE_BYTES:
            raise ResultTooLarge.of("The workbook", MAX_FILE_BYTES)

    def end(self, *, truncated: bool, row_count: int) -> bytes:
        """Nothing: the file is complete now, and `more` returns it."""
        self._sheet.write(SHEET_END.encode())
        self._sheet.close()
        about = [("rows", row_count), ("truncated", truncated)]
        rows = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in about)
        self._archive.writestr("xl/worksheets/sheet2.xml", f"{SHEET_START}{rows}{SHEET_END}")
        self._archive.close()
        if self._file is not None:
            self._file.seek(0)
        self._done = True
        return b""

    @property
    def pending(self) -> bool:
        """Whether there is more of the file to send."""
        return self._done and self._file is not None

    def more(self) -> bytes:
        """The next piece of the file."""
        piece = self._file.read(PIECE_BYTES) if self._file is not None else b""
        if len(piece) < PIECE_BYTES:
            self.close()
        return piece

    def close(self) -> None:
        """Remove the file."""
        if self._file is None:
            return
        if not self._done:
            with contextlib.suppress(Exception):  # an unfinished workbook
                self._sheet.close()
                self._archive.close()
        self._file.close()
        self._file = None


def _cell(value: Any) -> str:
    for kind, write in CELLS.items():
        if isinstance(value, kind):
            return write(value)
    return "<c/>"


def _number(value: Any) -> str:
    return f"<c><v>{value}</v></c>"


def _decimal(value: Decimal) -> str:
    return _number(value) if len(value.as_tuple().digits) <= 15 else _text(format(value, "f"))


def _text(value: str) -> str:
    if len(value) > MAX_CELL_CHARACTERS:
        raise ResultTooLarge(message=f"Excel takes {MAX_CELL_CHARACTERS} characters in a cell. Ask for CSV.")
    shown = escape(
        "".join(character if character.isprintable() or character in "\t\n\r" else "�" for character in value)
    )
    return f'<c t="inlineStr"><is><t xml:space="preserve">{shown}</t></is></c>'


def _moment(value: datetime.datetime) -> str:
    days = (value.replace(tzinfo=None) - DAY_ZERO) / datetime.timedelta(days=1)
    return f'<c s="2"><v>{days}</v></c>'


def _date(value: datetime.date) -> str:
    return f'<c s="1"><v>{(value - DAY_ZERO.date()).days}</v></c>'


CELLS: Mapping[type, Callable[[Any], str]] = {
    bool: lambda value: f'<c t="b"><v>{int(value)}</v></c>',
    int: _number,
    float: lambda value: _number(repr(value)),
    Decimal: _decimal,
    datetime.datetime: _moment,
    datetime.date: _date,
    str: _text,
}
"""How Python values become cells; the first match applies."""
