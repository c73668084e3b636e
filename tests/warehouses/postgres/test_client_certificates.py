"""Mutual TLS with a real server: a user who must show a certificate that the server's authority signed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorings import dialects
from moorings.engine.service import Engine, TestReport
from moorings.settings import Settings
from tests.certificates import authority, issued
from tests.warehouses.postgres.server import login

CA = authority()
CLIENT, STRANGER = issued(CA, "mutual"), issued(authority("Another"), "mutual")
RULE = "hostssl all mutual all scram-sha-256 clientcert=verify-ca\n"


def write(connection: Any, text: str, path: str) -> None:
    """Write a file as the server's own user, in its data directory unless the path is whole."""
    (number,) = connection.execute("SELECT lo_from_bytea(0, convert_to(%s, 'UTF8'))", [text]).fetchone()
    connection.execute("SELECT lo_export(%s, %s), lo_unlink(%s)", [number, path, number])


@pytest.fixture(scope="module")
def server(postgres_server: Any) -> Iterator[Any]:
    """The server, with an authority for clients, and a rule for the user `mutual` alone."""
    with login(postgres_server) as found:
        connection: Any = found
        (path,) = connection.execute("SHOW hba_file").fetchone()
        (before,) = connection.execute("SELECT pg_read_file(%s)", [path]).fetchone()
        write(connection, CA.pem, "client_ca.pem")
        write(connection, RULE + before, path)
        connection.execute("CREATE ROLE mutual LOGIN PASSWORD 'p'")
        connection.execute("ALTER SYSTEM SET ssl_ca_file = 'client_ca.pem'")
        connection.execute("SELECT pg_reload_conf()")
        yield postgres_server
        write(connection, before, path)
        connection.execute("ALTER SYSTEM RESET ssl_ca_file")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("DROP ROLE mutual")


def probe(server: Any, **changes: Any) -> TestReport:
    body = {"dialect": "postgres", "name": "n", "host": server.host, "port": server.port, "database": server.database}
    body |= {"username": "mutual", "passwordUnencrypted": "p", "sslMode": "require"} | changes
    named = dialects.named("postgres")

    async def probing() -> TestReport:
        engine = Engine(Settings(_env_file=None, data_dir=Path("unused"), connect_timeout_seconds=5))
        try:
            return await engine.test(named, named.Config.read(body))
        finally:
            await engine.close()

    return asyncio.run(probing())


@pytest.mark.parametrize(
    "changes",
    [
        {"sslClientKey": CLIENT.key},
        {"sslClientKey": CLIENT.encrypted("open"), "privateKeyPassphrase": "open"},
        {"sslClientKey": CLIENT.key.replace("\n", "\\n"), "sslClientCert": f"# text\n{CLIENT.pem}"},
    ],
    ids=["plain", "under a passphrase", "pasted"],
)
def test_a_client_certificate_logs_in(server: Any, changes: dict[str, str]) -> None:
    report = probe(server, **{"sslClientCert": CLIENT.pem} | changes)
    assert report.success, report.failure


def test_without_one_the_message_says_what_is_missing(server: Any) -> None:
    failure = probe(server).failure
    assert failure is not None
    assert failure.fields == ("sslClientCert", "sslClientKey")


def test_one_that_another_authority_signed_is_refused(server: Any) -> None:
    failure = probe(server, sslClientCert=STRANGER.pem, sslClientKey=STRANGER.key).failure
    assert failure is not None
    assert failure.fields == ("sslClientCert", "sslClientKey")
