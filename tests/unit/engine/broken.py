"""A dialect without a server, that fails where a test wants it to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from moorings.dialects.base import Abilities, Session, SessionContext
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config.connection import ConnectionConfig


class Config(ConnectionConfig, frozen=True):
    dialect: Literal["broken"] = "broken"


class BrokenSession(Session):
    """A session that fails where it is told to."""

    encrypted = True

    def __init__(self, at: str, fault: Exception) -> None:
        self._at, self._fault = at, fault

    def _reach(self, stage: str) -> str:
        if self._at == stage:
            raise self._fault
        return f"{stage} is fine."

    def ping(self) -> None:
        self._reach("ping")

    def check_schemas(self) -> str:
        return self._reach("schemas")

    def try_query(self) -> str:
        return self._reach("query")

    def tables(self, scope: Any) -> Any:
        raise NotImplementedError

    def query(self, statement: Any) -> Any:
        raise NotImplementedError

    def cancel(self) -> None:
        pass

    def reset(self) -> bool:
        return False

    def close(self) -> None:
        pass


class Broken(BaseDialect):
    """A dialect that fails where it is told to."""

    name = "broken"
    abilities = Abilities(connects=True)
    dials = False
    Config = Config

    def __init__(self, at: str, fault: Exception, wait: Callable[[], object] = bool) -> None:
        self._at, self._fault, self._wait = at, fault, wait

    def connect(self, config: Any, context: SessionContext) -> Session:
        self._wait()
        if self._at == "login":
            raise self._fault
        return BrokenSession(self._at, self._fault)
