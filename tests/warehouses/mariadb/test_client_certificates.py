"""Mutual TLS with a real MariaDB: a user who must show a certificate that the server's authority signed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from moorings.engine.service import TestReport
from moorings.testing.engines import Server
from tests.certificates import authority, issued
from tests.security.addresses.test_egress import probe as probe_body
from tests.warehouses.mariadb.server import ask, mariadb

CA = authority()
CLIENT, STRANGER = issued(CA, "mutual"), issued(authority("Another"), "mutual")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with mariadb(tls=True, client_authority=CA.pem) as found:
        account = "mutual@'127.0.0.1'"
        ask(found, f"CREATE USER {account} IDENTIFIED BY 'p' REQUIRE X509", f"GRANT SELECT ON app.* TO {account}")
        yield found


def probe(server: Server, **changes: Any) -> TestReport:
    body = {"dialect": "mariadb", "host": server.host, "port": server.port, "database": server.database}
    return probe_body(body | {"username": "mutual", "passwordUnencrypted": "p", "sslMode": "require"} | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"sslClientKey": CLIENT.key},
        {"sslClientKey": CLIENT.encrypted("open"), "privateKeyPassphrase": "open"},
        {"sslClientKey": CLIENT.key.replace("\n", "\\n"), "sslClientCert": f"# text\n{CLIENT.pem}"},
    ],
    ids=["plain", "under a passphrase", "pasted"],
)
def test_a_client_certificate_logs_in(server: Server, changes: dict[str, str]) -> None:
    report = probe(server, **{"sslClientCert": CLIENT.pem} | changes)
    assert report.success, report.failure


def test_without_one_the_login_is_refused(server: Server) -> None:
    failure = probe(server).failure
    assert failure is not None
    assert (failure.name, failure.code) == ("authenticate", "login_refused")


def test_one_that_another_authority_signed_is_refused(server: Server) -> None:
    failure = probe(server, sslClientCert=STRANGER.pem, sslClientKey=STRANGER.key).failure
    assert failure is not None
    assert (failure.name, failure.code) == ("tls", "tls_refused")
    assert set(failure.fields) == {"sslClientCert", "sslClientKey"}
