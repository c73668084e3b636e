from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

READY_FOR_QUERY: bytes

class Cursor:
    ps: dict[str, Any] | None
    paramstyle: str
    _cached_rows: deque[Sequence[Any]]
    def execute(
        self, operation: str, args: Sequence[Any] | None = None, stream: Any = None, merge_socket_read: bool = False
    ) -> Cursor: ...

class Connection:
    autocommit: bool
    in_transaction: bool
    error: Exception | None
    redshift_types: dict[int, tuple[int, Callable[[bytes, int, int], Any]]]
    message_types: dict[bytes, Callable[[bytes, Cursor | None], None]]
    _caches: dict[str, Any]
    _read: Callable[[int], bytes]
    def __init__(
        self,
        user: str,
        password: str,
        database: str,
        host: str | None = None,
        port: int = 5439,
        ssl: bool = True,
        application_name: str | None = None,
        client_protocol_version: int = ...,
        max_prepared_statements: int = ...,
    ) -> None: ...
    def cursor(self) -> Cursor: ...
    def close(self) -> None: ...
    def handle_AUTHENTICATION_REQUEST(self, data: bytes, cursor: Cursor | None) -> None: ...  # noqa: N802  # theirs
    def handle_messages_merge_socket_read(self, cursor: Cursor) -> None: ...
