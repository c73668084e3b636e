"""Tests of connections that people reported, on real servers: what fails, at which step, and in which words."""

from __future__ import annotations

import contextlib
import html
import json
import urllib.parse
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from moorings.testing.engines import Server
from tests.certificates import authority, issued
from tests.security.addresses.test_egress import probe as engine_probe
from tests.security.servers.asking_postgres import TRUST, AskingPostgres
from tests.security.servers.redirecting import answering
from tests.warehouses.bigquery.server import account
from tests.warehouses.postgres.server import login, postgresql
from tests.warehouses.servers.process import issued_certificate, own

CA, LATE = authority(), authority("Late")
PASSWORD = "s3nt'inel \"p@ss\\word <&> of the test"


@pytest.fixture(scope="module")
def service(serve: Callable[..., Any]) -> Any:
    return serve(connect_timeout_seconds=5, worker=False)


def outcome(service: Any, connection: str) -> dict[str, Any]:
    """The step that failed; its name is `none` if the test passed."""
    report = service.request("POST", f"/connections/{connection}/test").json()
    return next((each for each in report["steps"] if each["status"] == "failed"), {"name": "none", "code": None})


def probe(service: Any, server: Server | None = None, **changes: Any) -> dict[str, Any]:
    """The step of a test that failed, of a connection to a server with changes."""
    body: dict[str, Any] = {}
    if server is not None:
        body = {"host": server.host, "port": server.port, "database": server.database, "username": server.username}
        body["passwordUnencrypted"] = server.password
    return outcome(service, service.create(**(body | changes)))


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """A PostgreSQL whose settings tests may change."""
    with postgresql(tls=True) as server:
        yield server


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A certificate for localhost, its key, and its authority."""
    return issued_certificate(tmp_path_factory.mktemp("certificate"))


def reload(server: Server, *statements: str) -> None:
    """Run statements, and have PostgreSQL read its files again; new sessions have what they say when this returns."""
    with login(server) as found:
        connection: Any = found
        loaded = connection.execute("SELECT pg_conf_load_time()").fetchone()
        for statement in (*statements, "SELECT pg_reload_conf()"):
            connection.execute(statement)
    while True:
        with login(server) as found:
            connection = found
            if connection.execute("SELECT pg_conf_load_time()").fetchone() != loaded:
                return


@contextlib.contextmanager
def rules(server: Server, first: str) -> Generator[None]:
    """PostgreSQL with other rules of access before its own for the block."""
    path = server.folder / "data" / "pg_hba.conf"
    before = path.read_text()
    path.write_text(f"{first}\n{before}")
    reload(server, "CREATE ROLE guest LOGIN PASSWORD 'p'")
    yield
    path.write_text(before)
    reload(server, "DROP ROLE guest")


class TestTls:
    @pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full", None])
    def test_a_root_certificate_counts_whatever_the_mode(
        self, service: Any, postgres_server: Server, mariadb_server: Server, mode: str | None
    ) -> None:
        changes = {"host": "localhost", "sslRootCert": CA.pem} | ({"sslMode": mode} if mode else {})
        for server, dialect in ((postgres_server, "postgres"), (mariadb_server, "mariadb")):
            failed = probe(service, server, dialect=dialect, **changes)
            assert (failed["name"], failed["code"]) == ("tls", "certificate_refused"), dialect

    @pytest.mark.parametrize(
        "rule", ["hostssl all guest all scram-sha-256\nhost all guest all reject", "hostssl all all all scram-sha-256"]
    )
    def test_where_the_rules_want_tls(self, service: Any, postgres: Server, rule: str) -> None:
        with rules(postgres, rule if "reject" in rule else f"{rule}\nhostnossl all guest all reject"):
            login_of_guest = {"username": "guest", "passwordUnencrypted": "p"}
            assert probe(service, postgres, **login_of_guest, sslMode="prefer")["name"] == "none"
            refused = probe(service, postgres, **login_of_guest, sslMode="disable")
            assert (refused["name"], refused["code"]) == ("authenticate", "login_refused")
            assert "Set sslMode to require" in refused["message"]

    @pytest.mark.parametrize(("days", "words"), [(-1, "has expired"), (2, "cannot be verified")])
    def test_an_expired_certificate_is_called_expired(
        self, service: Any, postgres: Server, days: int, words: str
    ) -> None:
        pair = issued(LATE, days=days)
        for name, text in (("server.crt", pair.pem), ("server.key", pair.key)):
            (postgres.folder / name).write_text(text)
            own(postgres.folder / name, 0o600)
        reload(postgres)
        trusted = LATE if days < 0 else CA
        for mode in ("verify-ca", "verify-full"):
            refused = probe(service, postgres, host="localhost", sslMode=mode, sslRootCert=trusted.pem)
            assert (refused["name"], refused["code"]) == ("tls", "certificate_refused")
            assert f"The server's certificate {words}." in refused["message"]


class TestLogins:
    @pytest.mark.parametrize("mode", [None, "prefer", "require"])
    def test_a_test_logs_in_once(self, service: Any, postgres_server: Server, mode: str | None) -> None:
        assert postgres_server.log is not None

        def refusals() -> int:
            return Path(postgres_server.log or "").read_text().count("password authentication failed for user")

        before = refusals()
        changes = {"passwordUnencrypted": "wrong"} | ({"sslMode": mode} if mode else {})
        assert probe(service, postgres_server, **changes)["code"] == "login_refused"
        assert refusals() == before + 1

    @pytest.mark.parametrize(
        "spell",
        [urllib.parse.quote, urllib.parse.quote_plus, repr, json.dumps, html.escape],
        ids=lambda each: each.__name__,
    )
    def test_a_server_that_repeats_the_password_is_not_quoted(self, service: Any, spell: Callable[[str], str]) -> None:
        with AskingPostgres(TRUST, says=f"no login with {spell(PASSWORD)}").running() as server:
            connection = service.create(
                host="127.0.0.1", port=server.port, passwordUnencrypted=PASSWORD, sslMode="disable"
            )
            told = service.request("POST", f"/connections/{connection}/test").text
        assert "no login with" in told
        for run in (PASSWORD, spell(PASSWORD), "s3nt", "p@ss", "of the test", "of%20the", "of+the"):
            assert run not in told

    def test_a_service_account_with_a_key_on_an_elliptic_curve(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with answering(400, b'{"error": "invalid_grant"}', {"Content-Type": "application/json"}) as server:
            address = f"http://127.0.0.1:{server.port}"
            body = {"dialect": "bigquery", "database": "p", "hostOverride": address}
            body["passwordUnencrypted"] = account(private_key=key.decode())
            failed = engine_probe(body, google_sts_url=f"{address}/sts").failure
        assert failed is not None
        assert (failed.name, failed.code, failed.fields) == ("authenticate", "login_refused", ("passwordUnencrypted",))
        assert not any(line in repr(failed) for line in key.decode().splitlines()[1:-1])

    @pytest.mark.parametrize("dialect", ["trino", "clickhouse", "databricks"])
    @pytest.mark.parametrize(
        "changes",
        [
            {"passwordUnencrypted": "пароль"},
            {"passwordUnencrypted": "😀"},
            {"passwordUnencrypted": "token\n"},
            {"username": "юзер"},
        ],
        ids=["password", "emoji", "newline", "user"],
    )
    def test_what_headers_cannot_hold_as_it_is(
        self, dialect: str, changes: dict[str, str], certified: tuple[Path, Path, Path]
    ) -> None:
        words, head = b"Code: 516. DB::Exception: no", {"X-ClickHouse-Exception-Code": "516"}
        with answering(401, words, head if dialect == "clickhouse" else {}, certified[:2]) as server:
            body = {"dialect": dialect, "host": "localhost", "port": server.port, "database": "d"}
            body |= {"sslRootCert": certified[2].read_text(), "warehouse": "/sql/1.0/warehouses/w"}
            failed = engine_probe(body | changes).failure
        assert failed is not None
        assert (failed.name, failed.code) == ("authenticate", "login_refused"), failed
