from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from .backend.types import CommandState

class Transport:
    def setTimeout(self, milliseconds: float) -> None: ...  # noqa: N802

class Backend:
    _transport: Transport

class Session:
    backend: Backend

class Connection:
    session: Session
    def cursor(self, *, buffer_size_bytes: int) -> Cursor: ...
    def get_session_id_hex(self) -> str: ...
    def close(self) -> None: ...

class Cursor:
    arraysize: int
    def execute_async(self, operation: str, parameters: Sequence[Any] | None) -> Cursor: ...
    def get_query_state(self) -> CommandState: ...
    def get_async_execution_result(self) -> Cursor: ...
    def fetchmany_arrow(self, size: int) -> pa.Table: ...
    def fetchall_arrow(self) -> pa.Table: ...
    def cancel(self) -> None: ...
