import ssl as tls
from asyncio import Transport
from collections.abc import Mapping
from socket import socket
from typing import TypeVar, overload

from .cursors import Cursor

_C = TypeVar("_C", bound=Cursor)

class Connection:
    server_capabilities: int
    _client_flag: int
    _transport: Transport | None
    _ssl_context: tls.SSLContext | None
    def __init__(
        self,
        *,
        host: str | None,
        port: int,
        user: str | None,
        password: bytes,
        database: str | None,
        charset: str,
        autocommit: bool,
        conv: dict[object, object],
        use_unicode: bool,
        connect_timeout: float,
        program_name: str,
        sock: socket,
        auth_plugin_map: Mapping[str, type[object]],
    ) -> None: ...
    async def connect(self) -> None: ...
    async def select_db(self, db: str) -> None: ...
    async def read_packet(self) -> object: ...
    async def _execute_command(self, command: int, sql: bytes) -> None: ...
    async def _get_server_information(self) -> None: ...
    def thread_id(self) -> int: ...
    def get_server_info(self) -> str: ...
    def close(self) -> None: ...
    @overload
    def cursor(self) -> Cursor: ...
    @overload
    def cursor(self, cursor: type[_C]) -> _C: ...
