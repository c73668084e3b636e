from collections.abc import Mapping
from typing import Any

from urllib3 import PoolManager, Timeout
from urllib3.response import HTTPResponse

from .query import QueryResult

class SettingDef:
    name: str
    value: str
    readonly: int

class HttpClient:
    params: dict[str, str]
    server_settings: Mapping[str, SettingDef]
    timeout: Timeout
    def __init__(
        self,
        interface: str,
        host: str,
        port: int,
        username: str,
        password: str,
        database: str | None,
        *,
        compress: bool = True,
        query_retries: int = 2,
        connect_timeout: int = 10,
        send_receive_timeout: int = 300,
        client_name: str | None = None,
        pool_mgr: PoolManager | None = None,
        autogenerate_session_id: bool | None = None,
        show_clickhouse_errors: bool | str | None = None,
    ) -> None: ...
    def query(
        self, query: str, parameters: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
    ) -> QueryResult: ...
    def command(self, cmd: str, settings: Mapping[str, Any] | None = None) -> object: ...
    def raw_stream(
        self,
        query: str,
        parameters: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        fmt: str | None = None,
        *,
        transport_settings: Mapping[str, str] | None = None,
    ) -> HTTPResponse: ...
