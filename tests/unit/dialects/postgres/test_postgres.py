"""Faults of PostgreSQL that no server here shows on demand, by what libpq says of them."""

from __future__ import annotations

import pytest

from moorings import dialects

START = 'IO: [libpq] Failed to connect: connection to server at "db" (10.0.0.1), port 5432 failed: '


@pytest.mark.parametrize("name", ["postgres", "databricks_lakebase"])
@pytest.mark.parametrize(
    ("message", "step", "code"),
    [
        ("FATAL:  the database system is starting up\n", "authenticate", "database_starting"),
        ("FATAL:  the database system is shutting down\n", "authenticate", "database_starting"),
        ("FATAL:  sorry, too many clients already\n", "authenticate", "too_many_connections"),
        ("FATAL:  remaining connection slots are reserved for superusers\n", "authenticate", "too_many_connections"),
        ("received invalid response to SSL negotiation: H\n", "connect", "another_service"),
        ("expected authentication request from server, but received H\n", "connect", "another_service"),
        ("server closed the connection unexpectedly\n", "query", "session_lost"),
        ("timeout expired\n", "connect", "connect_timeout"),
        ("No route to host\n", "connect", "host_unreachable"),
    ],
)
def test_a_login_that_failed_is_told_by_its_words(name: str, message: str, step: str, code: str) -> None:
    fault = dialects.named(name).translate(Exception(START + message), [])
    assert (fault.step, fault.code) == (step, code)
