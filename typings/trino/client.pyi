from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from requests import Session

class ClientSession:
    def __init__(
        self,
        *,
        user: str,
        catalog: str | None = None,
        schema: str | None = None,
        source: str | None = None,
        properties: Mapping[str, str] | None = None,
        transaction_id: str | None = None,
        client_tags: Sequence[str] | None = None,
        timezone: str | None = None,
    ) -> None: ...

class TrinoRequest:
    transaction_id: str | None
    def __init__(
        self,
        host: str,
        port: int,
        client_session: ClientSession,
        http_session: Session | None = None,
        http_scheme: str | None = None,
        *,
        max_attempts: int = 3,
        request_timeout: float | tuple[float, float] = 30.0,
    ) -> None: ...

class TrinoResult(Iterable[list[Any]], Protocol):
    @property
    def rows(self) -> list[Any]: ...

class TrinoQuery:
    def __init__(self, request: TrinoRequest, query: str, legacy_primitive_types: bool = False) -> None: ...
    @property
    def columns(self) -> Sequence[Mapping[str, Any]] | None: ...
    @property
    def finished(self) -> bool: ...
    @property
    def cancelled(self) -> bool: ...
    def execute(self) -> TrinoResult: ...
    def fetch(self) -> list[Any]: ...
    def cancel(self) -> None: ...
