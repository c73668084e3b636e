from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import DataType, NativeFile, RecordBatch

class ReadOptions:
    def __init__(
        self,
        use_threads: bool = True,
        *,
        block_size: int | None = None,
        skip_rows: int | None = None,
        skip_rows_after_names: int | None = None,
        column_names: Sequence[str] | None = None,
    ) -> None: ...

class ParseOptions:
    def __init__(
        self, delimiter: str = ",", *, newlines_in_values: bool = False, ignore_empty_lines: bool = True
    ) -> None: ...

class ConvertOptions:
    def __init__(
        self,
        *,
        column_types: Mapping[str, DataType] | None = None,
        null_values: Sequence[str] | None = None,
        strings_can_be_null: bool = False,
        quoted_strings_can_be_null: bool = True,
    ) -> None: ...

class CSVStreamingReader:
    def __iter__(self) -> Iterator[RecordBatch]: ...
    def close(self) -> None: ...

def open_csv(
    input_file: NativeFile | Any,
    read_options: ReadOptions | None = None,
    parse_options: ParseOptions | None = None,
    convert_options: ConvertOptions | None = None,
) -> CSVStreamingReader: ...
