from collections.abc import Iterable
from typing import Any

from . import types as types
from .services.big_query_read.transports import BigQueryReadGrpcTransport

class BigQueryReadClient:
    def __init__(self, *, transport: BigQueryReadGrpcTransport) -> None: ...
    def create_read_session(
        self, *, parent: str, read_session: types.ReadSession, max_stream_count: int, retry: None, timeout: float
    ) -> types.ReadSession: ...
    def read_rows(self, name: str) -> Iterable[Any]: ...
