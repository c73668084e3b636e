"""Which step a fault fails: never one that was not begun when it was raised."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from moorings import errors
from moorings.dialects.base import Abilities
from moorings.engine.service import Engine
from moorings.settings import Settings
from tests.unit.engine.broken import Broken, Config


class Unable(Broken):
    abilities = Abilities()


def steps(dialect: Broken, host: str | None = "localhost") -> list[tuple[str, str | None]]:
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
