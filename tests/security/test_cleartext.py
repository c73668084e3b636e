"""No server gets a password in a form that it can read, or a login without TLS, because it asks for one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from moorings import dialects
from moorings.dialects.base import SessionContext
from moorings.dialects.config.fields import SslMode
from moorings.dialects.mssql import config as mssql_config
from moorings.dialects.mssql import login as mssql_login
from moorings.dialects.sap_hana import config as sap_hana_config
from moorings.dialects.sap_hana import login as sap_hana_login
from moorings.dialects.ssl_modes import mode_for, mode_in_force
from moorings.engine.service import Engine, TestReport
from moorings.settings import Settings
from tests.security.servers.asking_mysql import LOCAL_FILES, AskingMySQL, FileAskingMySQL
from tests.security.servers.asking_postgres import MD5, TRUST, AskingPostgres
from tests.security.servers.hostile import Certificate, Hostile
from tests.warehouses.servers.process import certificate as new_certificate

PASSWORD = "s3cret pass'word"
LIKE_POSTGRES = ("postgres", "databricks_lakebase", "redshift")
LIKE_MYSQL = ("mysql", "mariadb", "starrocks")
UNVERIFIED: list[dict[str, Any]] = [
    {"sslMode": "prefer"},
    {"sslMode": "require"},
    {"sslMode": "verify-full", "trustServerCertificate": True},
]
"""Ways to say that TLS is used, and by whom is not asked."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A self-signed certificate for `localhost`."""
    return new_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The certificate of an authority that signed nothing here."""
    return new_certificate(tmp_path_factory.mktemp("another"))[0].read_text()


@pytest.fixture(scope="module")
def key() -> bytes:
    """A public key of the attacker's own."""
    public = rsa.generate_private_key(65537, 2048).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def probe(dialect: str, server: Hostile, **changes: Any) -> TestReport:
    """The test of a connection to a hostile server."""
    body: dict[str, Any] = {"dialect": dialect, "name": "n", "host": "localhost", "port": server.port}
    body |= {"database": "d", "username": "u", "passwordUnencrypted": PASSWORD} | changes
    named = dialects.named(dialect)
    settings: dict[str, Any] = {"data_dir": Path("unused"), "connect_timeout_seconds": 3}

    async def probing() -> TestReport:
        engine = Engine(Settings(_env_file=None, **settings))
        try:
            return await engine.test(named, named.Config.read(body))
        finally:
            await engine.close()

    return asyncio.run(probing())


def failure(report: TestReport) -> tuple[str, str | None, tuple[str, ...]]:
    """Step, code and blamed fields of the step that failed."""
    assert report.failure is not None
    assert PASSWORD not in repr(report)
    return report.failure.name, report.failure.code, report.failure.fields


REFUSED = ("authenticate", "cleartext_password_refused", ("sslMode",))
NOT_OFFERED = ("tls", "tls_not_offered", ("sslMode",))


@contextlib.contextmanager
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host with an address of this machine, and one of another."""
    resolve = socket.getaddrinfo

    def resolving(host: Any, port: Any, *further: Any, **named: Any) -> Any:
        if host != "warehouse.test":
            return resolve(host, port, *further, **named)
        return [*resolve("127.0.0.1", port, *further, **named), *resolve("198.51.100.1", port, *further, **named)]

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", resolving)
        yield "warehouse.test"


@pytest.mark.parametrize("dialect", LIKE_POSTGRES)
class TestPostgresThatAsks:
    @pytest.mark.parametrize("changes", UNVERIFIED)
    def test_over_tls_that_is_not_verified_gets_nothing(
        self, dialect: str, changes: dict[str, Any], certificate: Certificate
    ) -> None:
        with AskingPostgres(tls="offered", certificate=certificate).running() as server:
            report = probe(dialect, server, **changes)
        assert failure(report) == REFUSED
        assert report.failure is not None
        assert "verify-full" in report.failure.message
        assert (server.logins, server.passwords) == ([True], [])

    def test_without_tls_gets_nothing(self, dialect: str) -> None:
        with AskingPostgres().running() as server:
            assert failure(probe(dialect, server, sslMode="prefer")) == REFUSED
        assert (server.logins, server.passwords) == ([False], [])

    def test_gets_it_over_verified_tls(self, dialect: str, certificate: Certificate) -> None:
        authority = certificate[0].read_text()
        with AskingPostgres(tls="offered", certificate=certificate).running() as server:
            report = probe(dialect, server, sslMode="verify-full", sslRootCert=authority)
        assert failure(report)[:2] == ("authenticate", "login_refused")
        assert (server.logins, server.passwords) == ([True], [PASSWORD.encode()])

    def test_gets_it_where_the_caller_chose_to_go_without_tls(self, dialect: str) -> None:
        with AskingPostgres().running() as server:
            assert failure(probe(dialect, server, sslMode="disable"))[:2] == ("authenticate", "login_refused")
        assert (server.logins, server.passwords) == ([False], [PASSWORD.encode()])
        assert server.ssl_requests == 0

    def test_another_host_in_verified_tls_gets_nothing(self, dialect: str, certificate: Certificate) -> None:
        authority = certificate[0].read_text()
        with AskingPostgres(tls="offered", certificate=certificate).running() as server:
            report = probe(dialect, server, host="127.0.0.1", sslMode="verify-full", sslRootCert=authority)
        assert failure(report)[:2] == ("tls", "certificate_refused")
        assert (server.logins, server.passwords) == ([], [])

    def test_a_hash_is_no_clear_text(self, dialect: str) -> None:
        with AskingPostgres(MD5).running() as server:
            assert failure(probe(dialect, server, sslMode="prefer"))[1] == "login_refused"
        assert [sent[:3] for sent in server.passwords] == [b"md5"]

    def test_asking_for_no_password_is_allowed(self, dialect: str) -> None:
        with AskingPostgres(TRUST).running() as server:
            assert failure(probe(dialect, server, sslMode="prefer"))[1] == "login_refused"
        assert (server.logins, server.passwords) == ([False], [])


@pytest.mark.parametrize("dialect", LIKE_POSTGRES)
class TestPostgresWithoutTls:
    @pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
    def test_is_refused_before_any_login(self, dialect: str, mode: str) -> None:
        with AskingPostgres().running() as server:
            assert failure(probe(dialect, server, sslMode=mode)) == NOT_OFFERED
        assert server.logins == []

    @pytest.mark.parametrize("mode", ["prefer", "require", None])
    def test_is_refused_where_an_authority_was_given(self, dialect: str, mode: str | None, another: str) -> None:
        modes = {} if mode is None else {"sslMode": mode}
        with AskingPostgres().running() as server:
            assert failure(probe(dialect, server, sslRootCert=another, **modes)) == NOT_OFFERED
        assert server.logins == []

    @pytest.mark.parametrize("mode", ["prefer", "require", "verify-full"])
    def test_hanging_up_gets_no_second_try(self, dialect: str, mode: str) -> None:
        with AskingPostgres(tls="dropped").running() as server:
            assert failure(probe(dialect, server, sslMode=mode))[:2] == ("tls", "session_lost")
        assert (server.ssl_requests, server.logins) == (1, [])


@pytest.mark.parametrize("dialect", LIKE_POSTGRES)
class TestOneLogin:
    def test_a_refused_one_is_not_tried_without_tls(self, dialect: str, certificate: Certificate) -> None:
        with AskingPostgres(MD5, tls="offered", certificate=certificate).running() as server:
            assert failure(probe(dialect, server, sslMode="prefer"))[1] == "login_refused"
        assert server.logins == [True]

    def test_without_tls_it_is_one_too(self, dialect: str) -> None:
        with AskingPostgres(MD5).running() as server:
            assert failure(probe(dialect, server, sslMode="prefer"))[1] == "login_refused"
        assert (server.ssl_requests, server.logins) == (1, [False])

    @pytest.mark.parametrize("mode", ["prefer", "require", None])
    def test_an_authority_that_did_not_sign_prevents_it(
        self, dialect: str, mode: str | None, certificate: Certificate, another: str
    ) -> None:
        modes = {} if mode is None else {"sslMode": mode}
        with AskingPostgres(tls="offered", certificate=certificate).running() as server:
            report = probe(dialect, server, sslRootCert=another, **modes)
        assert failure(report)[:2] == ("tls", "certificate_refused")
        assert server.logins == []


class TestAbsentMode:
    def test_is_prefer_on_loopback(self) -> None:
        with AskingPostgres(MD5).running() as server:
            assert failure(probe("postgres", server))[1] == "login_refused"
        assert server.logins == [False]

    def test_is_prefer_on_loopback_for_mysql(self) -> None:
        with AskingMySQL().running() as server:
            assert failure(probe("mysql", server))[1] == "login_refused"
        assert server.logins == [False]

    @pytest.mark.parametrize("dialect", ["postgres", *LIKE_MYSQL])
    def test_stays_absent_in_answers(self, service: Any, dialect: str) -> None:
        made = service.create(dialect=dialect, host="db.example.com")
        assert service.request("PATCH", f"/connections/{made}", json={"queryTimeoutSeconds": 60}).status_code == 200
        shown = service.request("GET", f"/connections/{made}").json()["connection"]["settings"]
        assert shown["sslMode"] is None

    @pytest.mark.parametrize("dialect", ["postgres", *LIKE_MYSQL])
    def test_is_require_where_one_address_is_another_machine(
        self, dialect: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kind = AskingPostgres if dialect == "postgres" else AskingMySQL
        with kind().running() as server, elsewhere(monkeypatch) as host:
            assert failure(probe(dialect, server, host=host)) == NOT_OFFERED
        assert server.logins == []

    @pytest.mark.parametrize(
        ("addresses", "default", "mode"),
        [
            (["127.0.0.1", "::1"], "require", "prefer"),
            (["127.8.8.8"], "verify-full", "prefer"),
            (["::ffff:127.0.0.1"], "require", "prefer"),
            (["127.0.0.1", "10.0.0.1"], "require", "require"),
            (["10.0.0.1"], "prefer", "prefer"),
            (["10.0.0.1"], "disable", "disable"),
            (["10.0.0.1"], "verify-full", "verify-full"),
        ],
    )
    def test_follows_the_addresses_and_the_operator(
        self, addresses: list[str], default: SslMode, mode: SslMode
    ) -> None:
        config = dialects.named("postgres").Config.read(
            {
                "dialect": "postgres",
                "name": "n",
                "host": "h",
                "database": "d",
                "username": "u",
                "passwordUnencrypted": "p",
            }
        )
        assert config.ssl_mode is None
        assert mode_for(config, addresses, default) == mode


@pytest.mark.parametrize("dialect", LIKE_MYSQL)
class TestMySQLThatAsks:
    @pytest.mark.parametrize("plugin", ["mysql_clear_password", "dialog", "mysql_old_password"])
    @pytest.mark.parametrize("changes", UNVERIFIED)
    def test_over_tls_that_is_not_verified_gets_nothing(
        self, dialect: str, plugin: str, changes: dict[str, Any], certificate: Certificate
    ) -> None:
        with AskingMySQL(switches_to=plugin, certificate=certificate).running() as server:
            assert failure(probe(dialect, server, **changes)) == REFUSED
        assert server.logins == [True]
        assert len(server.answers) == 1
        assert len(server.answers[0]) == 20  # the hash of mysql_native_password

    @pytest.mark.parametrize(
        "plugin",
        ["mysql_clear_password", "dialog", "mysql_old_password", "sha256_password", "caching_sha2_password"],
    )
    def test_without_tls_gets_nothing(self, dialect: str, plugin: str, key: bytes) -> None:
        with AskingMySQL(switches_to=plugin, key=key).running() as server:
            assert failure(probe(dialect, server, sslMode="prefer")) == REFUSED
        assert server.logins == [False]
        assert all(len(answer) in (20, 32) for answer in server.answers)  # hashes alone

    @pytest.mark.parametrize("plugin", ["sha256_password", "caching_sha2_password"])
    def test_that_greets_so_gets_nothing_under_its_own_key(self, dialect: str, plugin: str, key: bytes) -> None:
        with AskingMySQL(plugin, key=key).running() as server:
            assert failure(probe(dialect, server, sslMode="prefer")) == REFUSED
        assert all(len(answer) in (1, 32) for answer in server.answers)  # a request for the key, or a hash

    @pytest.mark.parametrize("plugin", ["mysql_clear_password", "dialog"])
    def test_gets_it_over_verified_tls(self, dialect: str, plugin: str, certificate: Certificate) -> None:
        with AskingMySQL(switches_to=plugin, certificate=certificate).running() as server:
            report = probe(dialect, server, sslMode="verify-full", sslRootCert=certificate[0].read_text())
        assert failure(report)[1] == "login_refused"
        assert server.logins == [True]
        assert server.answers[-1] == PASSWORD.encode() + b"\0"

    def test_gets_it_where_the_caller_chose_to_go_without_tls(
        self, dialect: str, certificate: Certificate, key: bytes
    ) -> None:
        with AskingMySQL(switches_to="mysql_clear_password", certificate=certificate).running() as server:
            assert failure(probe(dialect, server, sslMode="disable"))[1] == "login_refused"
        assert (server.logins, server.answers[-1]) == ([False], PASSWORD.encode() + b"\0")
        with AskingMySQL("caching_sha2_password", key=key).running() as server:
            assert failure(probe(dialect, server, sslMode="disable"))[1] == "login_refused"
        assert len(server.answers[-1]) == 256  # encrypted by the server's key

    @pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
    def test_without_tls_is_refused_where_it_is_required(self, dialect: str, mode: str) -> None:
        with AskingMySQL().running() as server:
            assert failure(probe(dialect, server, sslMode=mode)) == NOT_OFFERED
        assert (server.dials, server.logins, server.answers) == (1, [], [])

    @pytest.mark.parametrize("mode", ["prefer", "require", None])
    def test_an_authority_is_verified_in_every_mode(
        self, dialect: str, mode: str | None, certificate: Certificate, another: str
    ) -> None:
        modes = {} if mode is None else {"sslMode": mode}
        with AskingMySQL(certificate=certificate).running() as server:
            report = probe(dialect, server, sslRootCert=another, **modes)
        assert failure(report)[:2] == ("tls", "certificate_refused")
        with AskingMySQL().running() as plain:
            assert failure(probe(dialect, plain, sslRootCert=another, **modes)) == NOT_OFFERED
        assert server.logins == plain.logins == []

    def test_a_refused_login_is_tried_once(self, dialect: str, certificate: Certificate) -> None:
        with AskingMySQL(certificate=certificate).running() as server:
            assert failure(probe(dialect, server, sslMode="prefer"))[1] == "login_refused"
        assert (server.dials, server.logins) == (1, [True])


@pytest.mark.parametrize("dialect", LIKE_MYSQL)
@pytest.mark.parametrize("at", [b"AUTOCOMMIT", b"SELECT 1"], ids=["login", "query"])
def test_a_server_that_asks_for_a_file_gets_none(dialect: str, at: bytes) -> None:
    with FileAskingMySQL(at).running() as server:
        report = probe(dialect, server, sslMode="prefer")
    assert not report.success
    assert server.connections == 1
    assert server.files == [b""]
    assert not server.flags & LOCAL_FILES
    assert report.failure is not None
    assert report.failure.code == "session_lost"


class TestEveryMode:
    """An authority of the caller's own is verified, whatever the mode, in every dialect that takes one."""

    @pytest.mark.parametrize("dialect", dialects.names())
    @pytest.mark.parametrize("mode", [None, "prefer", "require", "verify-ca", "verify-full"])
    def test_is_at_least_verify_ca(self, dialect: str, mode: SslMode | None) -> None:
        kind = dialects.named(dialect).Config
        settings = {"ssl_root_cert": "-----BEGIN CERTIFICATE-----"} | ({} if mode is None else {"ssl_mode": mode})
        assert mode_in_force(kind.restore(settings, {})) in ("verify-ca", "verify-full")

    def test_sql_server_never_logs_in_without_tls_unless_that_was_chosen(self) -> None:
        def encryption(**settings: Any) -> tuple[str, str]:
            found = mssql_login.parameters(mssql_config.Config.restore({"host": "h", "port": 1} | settings, {}), None)
            return found["Encrypt"], found["TrustServerCertificate"]

        assert encryption() == ("yes", "no")
        assert encryption(ssl_mode="prefer") == ("yes", "yes")
        assert encryption(ssl_mode="prefer", ssl_root_cert="-----BEGIN CERTIFICATE-----") == ("yes", "no")
        assert encryption(ssl_mode="disable") == ("no", "no")

    def test_sap_hana_sends_no_password_under_the_servers_key_unless_it_is_verified(self) -> None:
        def methods(**settings: Any) -> str | None:
            config = sap_hana_config.Config.restore({"host": "h", "port": 1} | settings, {})
            return sap_hana_login.options(config, SessionContext()).get("authenticationMethods")

        assert methods() is None
        assert methods(ssl_mode="require") == methods(trust_server_certificate=True) == "pbkdf2,password"
        assert methods(ssl_mode="disable") is None
