"""What only Snowflake has: key pairs, OAuth clients, wide numbers, chunks; and that its driver keeps to itself."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorings import errors
from moorings.dialects.base import Statement
from moorings.engine.service import TestReport
from moorings.testing.engines import Server, Warehouse
from moorings.testing.room import Room, run_inside
from tests.warehouses.engines import under
from tests.warehouses.servers.process import tell
from tests.warehouses.snowflake.server import AUDIENCE, CLIENT

ROWS = 200_000


@pytest.fixture
def warehouse(snowflake_server: Server, tmp_path: Path) -> Warehouse:
    """The account of the suite."""
    return Warehouse(under("snowflake"), snowflake_server, tmp_path)


def refused(report: TestReport) -> tuple[str, str, set[str]]:
    assert report.failure is not None, report
    return report.failure.name, report.failure.code or "", set(report.failure.fields)


class TestKeyPair:
    def key(self, server: Server) -> str:
        """The private half of the key that is registered, as PKCS #1."""
        return (server.folder / "key.pem").read_text()

    def test_it_logs_in_without_a_password(self, probe: Callable[..., TestReport], snowflake_server: Server) -> None:
        pem = self.key(snowflake_server)
        assert "BEGIN RSA PRIVATE KEY" in pem
        assert probe(passwordUnencrypted=None, privateKey=pem).success

    def test_headers_may_be_missing(self, probe: Callable[..., TestReport], snowflake_server: Server) -> None:
        bare = "".join(line for line in self.key(snowflake_server).splitlines() if not line.startswith("-----"))
        assert probe(passwordUnencrypted=None, privateKey=bare).success

    def test_another_key_is_refused(self, probe: Callable[..., TestReport]) -> None:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        pem, no = serialization.Encoding.PEM, serialization.NoEncryption()
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        other = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no).decode()
        report = probe(passwordUnencrypted=None, privateKey=other)
        assert refused(report) == ("authenticate", "login_refused", {"username", "privateKey"})
        assert "RSA_PUBLIC_KEY" in str(report.failure)
        assert other.splitlines()[1] not in repr(report)

    def test_the_account_is_part_of_what_is_signed(
        self, probe: Callable[..., TestReport], snowflake_server: Server
    ) -> None:
        report = probe(passwordUnencrypted=None, privateKey=self.key(snowflake_server), username="reader")
        assert refused(report)[:2] == ("authenticate", "login_refused")


class TestOauth:
    def client(self, server: Server, **changes: Any) -> dict[str, Any]:
        """A client of the OAuth server that plays along, which hands out tokens for one audience alone."""
        url = f"https://localhost:{server.port}/oauth/token"
        body = {
            "authenticationType": "snowflake-external-oauth-user",
            "externalOauthAuthorizationUrl": "https://login.example/authorize",
            "externalOauthTokenUrl": url,
            "externalOauthAudience": AUDIENCE,
            "oauthClientId": CLIENT[0],
            "oauthClientSecretUnencrypted": CLIENT[1],
            "passwordUnencrypted": None,
        }
        return body | changes

    def test_a_client_fetches_its_token(self, probe: Callable[..., TestReport], snowflake_server: Server) -> None:
        assert probe(**self.client(snowflake_server)).success

    def test_so_it_does_under_the_other_name(self, probe: Callable[..., TestReport], snowflake_server: Server) -> None:
        assert probe(**self.client(snowflake_server, authenticationType="snowflake-oauth-user")).success

    @pytest.mark.parametrize(
        "changes",
        [
            {"oauthClientSecretUnencrypted": "wrong-password"},
            {"externalOauthAudience": "https://else.example"},
            {"externalOauthTokenUrl": "https://localhost:1/token"},
            {"externalOauthTokenUrl": "https://no-such-host.invalid/token"},
        ],
        ids=["secret", "audience", "port", "host"],
    )
    def test_what_is_wrong_with_it_is_told(
        self, probe: Callable[..., TestReport], snowflake_server: Server, changes: dict[str, str]
    ) -> None:
        report = probe(**self.client(snowflake_server, **changes))
        blamed = {"oauthClientId", "oauthClientSecretUnencrypted", "externalOauthTokenUrl"}
        assert refused(report) == ("authenticate", "login_refused", blamed)
        assert "wrong-password" not in repr(report)

    def test_a_path_that_gives_no_token_is_told(
        self, probe: Callable[..., TestReport], snowflake_server: Server
    ) -> None:
        url = f"https://localhost:{snowflake_server.port}/outside"
        report = probe(**self.client(snowflake_server, externalOauthTokenUrl=url))
        assert refused(report)[:2] == ("authenticate", "login_refused")

    @pytest.mark.parametrize("kind", ["snowflake-oauth-user", "snowflake-external-oauth-user"])
    def test_a_user_has_to_sign_in(self, probe: Callable[..., TestReport], snowflake_server: Server, kind: str) -> None:
        lacking = "externalOauthTokenUrl" if kind == "snowflake-oauth-user" else "oauthClientId"
        report = probe(**self.client(snowflake_server, authenticationType=kind, **{lacking: None}))
        assert refused(report) == ("authenticate", "login_refused", {"authenticationType"})
        assert "sign-in" in str(report.failure)


class TestResults:
    def test_integers_are_exact_at_every_width(self, rows: Callable[..., list[tuple[Any, ...]]]) -> None:
        widest = 2**63 - 1
        found = rows(f"SELECT CAST(1 AS NUMBER(18, 0)) AS a, CAST('{widest}' AS NUMBER(38, 0)) AS b")
        assert found == [(1, decimal.Decimal(widest))]
        assert isinstance(found[0][0], int)

    def test_chunks_come_in_order_and_in_one_type(self, warehouse: Warehouse) -> None:
        async def work(room: Room) -> list[Any]:
            numbers: list[Any] = []
            async with room.engine.lease(room.target()) as lease:
                schema = await lease.open(Statement(warehouse.sql.many.format(rows=ROWS), batch_rows=10_000))
                while (batch := await lease.pull(lambda batch: batch)) is not None:
                    assert batch.schema == schema
                    assert batch.num_rows <= 10_000
                    numbers += batch.column(0).to_pylist()
            return numbers

        assert run_inside(warehouse, work) == list(range(1, ROWS + 1))

    def test_an_empty_result_has_the_types_of_a_full_one(self, warehouse: Warehouse) -> None:
        sql = "SELECT CAST(1 AS NUMBER(9, 0)) AS a, CAST(1 AS NUMBER(10, 2)) AS b, CURRENT_TIMESTAMP AS c WHERE {here}"

        async def work(room: Room) -> list[str]:
            schemas = []
            for here in ("1 = 1", "1 = 0"):
                async with room.engine.lease(room.target()) as lease:
                    schemas.append(str(await lease.open(Statement(sql.format(here=here)))))
            return schemas

        full, empty = run_inside(warehouse, work)
        assert full == empty

    def test_what_a_plan_would_read_is_told(self, warehouse: Warehouse) -> None:
        async def work(room: Room) -> Any:
            async with room.engine.lease(room.target()) as lease:
                return await lease.ask(lambda session: session.plan(Statement("SELECT 1")), 10)

        assert run_inside(warehouse, work).estimated_bytes == 1024

    def test_other_databases_are_read_where_asked_for(self, warehouse: Warehouse) -> None:
        from moorings.dialects.introspection import Scope

        warehouse.ask("CREATE OR REPLACE TABLE OTHER_DB.PUBLIC.beyond (a NUMBER(9, 0))")

        async def work(room: Room) -> list[set[str | None]]:
            async with room.engine.lease(room.target()) as lease:
                scopes = (Scope(), Scope(catalogs=("other*",)))
                return [
                    {table.catalog for table in await lease.ask(lambda session, scope=scope: session.tables(scope), 30)}
                    for scope in scopes
                ]

        own, both = run_inside(warehouse, work)
        assert "OTHER_DB" not in own
        assert "OTHER_DB" in both


class TestReadOnly:
    @pytest.mark.parametrize(
        "sql",
        [
            "SHOW TABLES ->> INSERT INTO written VALUES (1)",
            "/* SELECT */ DELETE FROM written",
            "// SELECT\nDELETE FROM written",
            "/* /* */ SHOW */ DELETE FROM written",
            "-- \rDELETE FROM written\nSHOW",
            "DELETE FROM written WHERE EXISTS (SELECT 1)",
            "SELECT 1) OR EXISTS (SELECT 1",
            "CALL delete_all()",
            "WITH one AS (SELECT 1) DELETE FROM written",
        ],
    )
    def test_what_is_no_query_does_not_run(
        self, warehouse: Warehouse, rows: Callable[..., list[tuple[Any, ...]]], sql: str
    ) -> None:
        warehouse.ask("CREATE OR REPLACE TABLE written (number INT)", "INSERT INTO written VALUES (7)")
        with pytest.raises((errors.ReadOnly, errors.StatementRefused)):
            rows(sql)
        assert warehouse.ask("SELECT * FROM written") == [(7,)]


class TestFiles:
    """The driver itself would send and fetch files of the machine that it runs on."""

    @pytest.mark.parametrize("read_only", [True, False])
    @pytest.mark.parametrize(
        "sql", ["PUT file:///etc/passwd @~", " /* a */ -- b\n get @~ file:///tmp/", "// c\nPUT file://x @~"]
    )
    def test_are_neither_sent_nor_fetched(self, warehouse: Warehouse, sql: str, read_only: bool):
        async def work(room: Room) -> None:
            await room.rows(sql, target=room.target(readOnly=read_only), read_only=read_only)

        with pytest.raises(errors.StatementRefused, match="PUT and GET are refused"):
            run_inside(warehouse, work)


class TestWarehouse:
    def test_the_test_names_the_one_that_queries_run_on(self, probe: Callable[..., TestReport]) -> None:
        assert probe().steps[-1].message == "A query ran. Those that read tables run on WH."


class TestManners:
    def test_the_driver_writes_no_files_and_tells_nobody(
        self,
        warehouse: Warehouse,
        rows: Callable[..., list[tuple[Any, ...]]],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "SNOWFLAKE_HOME", "TMPDIR"):
            monkeypatch.setenv(name, str(tmp_path))
        before = set(tmp_path.rglob("*"))
        rows("SELECT 1 AS one")
        with pytest.raises(errors.StatementRefused):
            rows("SELECT * FROM no_such_table")
        assert set(tmp_path.rglob("*")) == before
        assert warehouse.server is not None
        assert tell(warehouse.server)["unknown"] == []

    def test_no_environment_of_the_operator_changes_where_we_go(
        self, probe: Callable[..., TestReport], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        profile = '[default]\naccount = "elsewhere"\nhost = "elsewhere.example"\nuser = "else"\n'
        (tmp_path / "connections.toml").write_text(profile)
        (tmp_path / "connections.toml").chmod(0o600)
        monkeypatch.setenv("SNOWFLAKE_HOME", str(tmp_path))
        monkeypatch.setenv("SNOWFLAKE_DEFAULT_CONNECTION_NAME", "default")
        assert probe().success
