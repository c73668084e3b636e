"""Which step a fault fails: never one that was not begun when it was raised."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

import pytest

from moorings import errors
from moorings.dialects.base import Abilities, Session, Surroundings
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.engine.service import Engine
from moorings.settings import Settings


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

    def __init__(self, at: str, fault: Exception) -> None:
        self._at, self._fault = at, fault

    def connect(self, config: Any, surroundings: Surroundings) -> Session:
        if self._at == "login":
            raise self._fault
        return BrokenSession(self._at, self._fault)


class Unable(Broken):
    abilities = Abilities()


def steps(dialect: BaseDialect, host: str | None = "localhost") -> list[tuple[str, str | None]]:
    """Status and code of each step."""
    config = Config(host=host, port=1) if host else Config()

    async def probing() -> Any:
        engine = Engine(Settings(_env_file=None, data_dir=Path("unused")))
        report = await engine.test(dialect, config)
        await engine.close()
        return report

    return [(step.status, step.code) for step in asyncio.run(probing()).steps]


PASSED, SKIPPED = ("passed", None), ("skipped", None)
LOGIN_FAULTS = [
    (RuntimeError("?"), 1, "unknown"),
    (errors.SessionLost(), 1, "session_lost"),
    (errors.StatementForbidden(), 1, "statement_forbidden"),
    (errors.SchemaNotFound(), 1, "schema_not_found"),
    (errors.ConnectTimeout(), 1, "connect_timeout"),
    (errors.TlsRefused(), 2, "tls_refused"),
    (errors.LoginRefused(), 3, "login_refused"),
    (errors.DatabaseNotFound(), 4, "database_not_found"),
]


@pytest.mark.parametrize(("fault", "place", "code"), LOGIN_FAULTS)
def test_a_fault_of_the_login_fails_a_step_up_to_the_database(fault: Exception, place: int, code: str) -> None:
    assert steps(Broken("login", fault)) == [*[PASSED] * place, ("failed", code), *[SKIPPED] * (6 - place)]


def test_without_a_server_nothing_is_blamed_on_its_name() -> None:
    assert steps(Broken("login", errors.UnknownFault()), None) == [SKIPPED, ("failed", "unknown"), *[SKIPPED] * 5]


@pytest.mark.parametrize("fault", [errors.StatementForbidden(), errors.SessionLost(), RuntimeError("?")])
def test_a_fault_of_looking_for_schemas_is_no_query(fault: Exception) -> None:
    assert [status for status, _ in steps(Broken("schemas", fault))] == [*["passed"] * 5, "failed", "skipped"]


def test_the_query_step_is_the_dialects_own() -> None:
    assert steps(Broken("query", errors.SessionLost()))[-1] == ("failed", "session_lost")
    assert steps(Broken("ping", errors.SessionLost()))[-1] == PASSED


def test_a_dialect_without_a_driver_says_so_before_anything_is_looked_up() -> None:
    found = steps(Unable("", RuntimeError()), "no-such-host.invalid")
    assert found == [SKIPPED, ("failed", "dialect_not_connectable"), *[SKIPPED] * 5]
