from collections.abc import Sequence
from typing import Any

class ArrowSerializationOptions:
    class CompressionCodec:
        LZ4_FRAME: int

class DataFormat:
    ARROW: int

class ReadSession:
    read_options: Any
    arrow_schema: Any
    streams: Sequence[Any]
    def __init__(self, *, table: str, data_format: int) -> None: ...
