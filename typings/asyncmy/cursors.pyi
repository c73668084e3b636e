from collections.abc import Sequence
from typing import Any, Protocol, Self

class Field(Protocol):
    name: str
    type_code: int
    charsetnr: int
    length: int
    flags: int
    scale: int

class Result(Protocol):
    fields: Sequence[Field]
    unbuffered_active: bool
    def _take_pending_rows(self, limit: int | None = None) -> list[tuple[bytes | None, ...]]: ...

class Cursor:
    description: Sequence[Any] | None
    _result: Result | None
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *reason: object) -> None: ...
    async def execute(self, query: str) -> int: ...
    async def fetchall(self) -> Sequence[tuple[bytes | None, ...]]: ...
    async def close(self) -> None: ...
    def mogrify(self, query: str, args: Sequence[Any]) -> str: ...

class SSCursor(Cursor):
    async def read_next(self) -> tuple[bytes | None, ...] | None: ...
