"""A dialect whose driver holds the interpreter's lock for minutes, in a process of its own or in the service's."""

from __future__ import annotations

import re
from typing import Any, Literal

import pyarrow as pa

from moorings import errors
from moorings.dialects.base import Abilities, Session, SessionContext, Statement
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config.connection import ConnectionConfig
from moorings.dialects.introspection import Column, Plan, Scope, Table


class Config(ConnectionConfig, frozen=True):
    dialect: Literal["locking"] = "locking"
    hangs_at: str = ""


def hold() -> None:
    """Take the lock and keep it: matching does not give it away, and this match takes ages."""
    re.match("(a|a)+$", "a" * 60 + "b")


class LockingSession(Session):
    def __init__(self, at: str) -> None:
        self._at = at
        self._reach("login")

    def _reach(self, stage: str) -> None:
        if self._at == stage:
            hold()

    def ping(self) -> None:
        self._reach("ping")

    def check_schemas(self) -> str:
        return "fine."

    def tables(self, scope: Scope) -> list[Table]:
        return [Table(None, "main", "found", columns=[Column("a", 1, "INT")])]

    def plan(self, statement: Statement) -> Plan:
        return Plan("planned", 7)

    def query(self, statement: Statement) -> pa.RecordBatchReader:
        self._reach("query")
        if statement.sql == "refused":
            raise errors.StatementRefused("database", message="No.", detail="really")
        if statement.sql == "broken":
            raise ValueError(statement.parameters[0])
        words = pa.array(["a", "b", "a"]).dictionary_encode()

        def batches() -> Any:
            yield pa.record_batch({"number": pa.array([1, 2, 3]), "word": words})
            self._reach("fetch")
            yield pa.record_batch({"number": pa.array([4, 5, 6]), "word": words})

        schema = pa.schema({"number": pa.int64(), "word": words.type})
        return pa.RecordBatchReader.from_batches(schema, batches())

    def cancel(self) -> None:
        pass

    def reset(self) -> bool:
        self._reach("reset")
        return True

    def close(self) -> None:
        self._reach("close")


class Locking(BaseDialect):
    name = "locking"
    abilities = Abilities(connects=True, own_process=True)
    dials = False
    Config = Config

    def connect(self, config: Any, context: SessionContext) -> Session:
        return LockingSession(config.hangs_at)
