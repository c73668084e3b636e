"""Trino: what is special to it. Its modes of TLS, what it hears of each statement, transactions, several catalogs."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from trino.client import TrinoQuery

from moorings import errors
from moorings.dialects.base import Session, SessionContext, Statement
from moorings.dialects.introspection import Scope
from moorings.engine.service import TestReport
from moorings.testing.engines import SENTINEL, Server, Warehouse
from moorings.testing.room import Room, run_inside
from tests.warehouses.trino import server as trino
from tests.warehouses.trino.server import outside, plain_port

Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def warehouse(trino_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The stub, running."""
    return Warehouse(trino.UNDER, trino_server, tmp_path_factory.mktemp("unused"))


@pytest.fixture
def session(session: Callable[..., Session]) -> Session:
    """The session that works."""
    return session()


def heard(warehouse: Warehouse, sql: str) -> dict[str, str]:
    """The headers of the last statement of this text."""
    return next(each for each in reversed(outside(warehouse.server, heard=True)) if each["sql"] == sql)


class TestTls:
    def test_verified_with_the_authority_that_was_given(
        self, probe: Callable[..., TestReport], warehouse: Warehouse
    ) -> None:
        authority = warehouse.server.certificate.read_text()
        report = probe(host="localhost", sslMode="verify-full", sslRootCert=authority)
        assert report.success, report
        assert report.steps[2].message == "The connection is encrypted."

    def test_authorities_of_the_python_packages_do_not_count(
        self, probe: Callable[..., TestReport], warehouse: Warehouse
    ) -> None:
        report = probe(host="localhost", sslMode="verify-full")
        assert report.failure is not None
        assert report.failure.code == "certificate_refused"

    def test_a_trusted_server_certificate_is_not_verified(self, probe: Callable[..., TestReport]) -> None:
        assert probe(sslMode="verify-full", trustServerCertificate=True).success

    def test_without_tls_the_user_name_goes_alone(self, probe: Callable[..., TestReport], warehouse: Warehouse) -> None:
        report = probe(sslMode="disable", port=plain_port(warehouse.server))
        assert report.success, report
        assert (report.steps[2].status, report.steps[2].message) == ("skipped", "The connection is not encrypted.")
        assert "Authorization" not in heard(warehouse, "SELECT 1")

    def test_plain_words_to_a_port_with_tls(self, probe: Callable[..., TestReport]) -> None:
        report = probe(sslMode="disable")
        assert report.failure is not None
        assert report.failure.code == "session_lost"


class TestHeaders:
    def test_what_holds_for_a_statement_travels_with_it(self, warehouse: Warehouse) -> None:
        query_id = str(uuid.uuid4())

        async def work(room: Room) -> None:
            target = room.target(defaultSchema="public", queryTimezone="Asia/Tokyo")
            await room.rows("SELECT 1 AS heard", target=target, query_id=query_id, timeout_seconds=7.5)

        run_inside(warehouse, work)
        found = heard(warehouse, "SELECT 1 AS heard")
        assert {name: found[name] for name in found if name.startswith("X-Trino") and "Capab" not in name} == {
            "X-Trino-User": "moorings",
            "X-Trino-Source": f"moorings {query_id}",
            "X-Trino-Client-Tags": "moorings",
            "X-Trino-Catalog": "app",
            "X-Trino-Schema": "public",
            "X-Trino-Time-Zone": "Asia/Tokyo",
            "X-Trino-Session": "query_max_execution_time=8s",
            "X-Trino-Transaction-Id": found["X-Trino-Transaction-Id"],
        }
        assert found["X-Trino-Transaction-Id"].startswith("transaction-")

    def test_the_server_ends_a_statement_by_itself(self, warehouse: Warehouse, session: Session) -> None:
        with pytest.raises(Exception, match="maximum execution time") as ended:
            session.query(Statement("SELECT pause(30)", timeout_seconds=1))
        assert isinstance(warehouse.dialect.translate(ended.value, ()), errors.QueryTimeout)


class TestTransactions:
    def test_each_ends_with_its_statement(self, warehouse: Warehouse, session: Session) -> None:
        def transactions() -> int:
            return outside(warehouse.server, transactions=True)

        before = transactions()
        reader = session.query(Statement(warehouse.sql.many.format(rows=50_000)))
        assert transactions() == before + 1
        reader.read_all()
        assert transactions() == before
        session.query(Statement(warehouse.sql.many.format(rows=50_000))).read_next_batch()
        assert transactions() == before + 1
        session.reset()
        assert transactions() == before

    def test_one_that_a_statement_or_an_error_ended_is_no_fault(self, warehouse: Warehouse, session: Session) -> None:
        session.query(Statement("SELECT 2 AS a"))
        list(TrinoQuery(session._transaction, "COMMIT").execute())  # past the fence
        assert session.reset()
        with pytest.raises(Exception, match="no_such_table"):
            session.query(Statement("SELECT * FROM no_such_table"))
        assert session.query(Statement("SELECT 1 AS a")).read_all().to_pylist() == [{"a": 1}]

    def test_no_statement_ends_its_own(self, warehouse: Warehouse, session: Session) -> None:
        for sql in ("COMMIT", "ROLLBACK"):
            with pytest.raises(errors.ReadOnly):
                session.query(Statement(sql))

    def test_a_statement_that_may_write_has_none(self, rows: Callable[..., Rows], warehouse: Warehouse) -> None:
        rows("SELECT 2 AS free", read_only=False)
        assert heard(warehouse, "SELECT 2 AS free")["X-Trino-Transaction-Id"] == "NONE"


class TestPages:
    def test_they_come_in_order_and_whole(self, session: Session, warehouse: Warehouse) -> None:
        table = session.query(Statement(warehouse.sql.many.format(rows=50_001), batch_rows=7_000)).read_all()
        assert table.column("number").to_pylist() == list(range(1, 50_002))

    def test_a_page_at_another_address_does_not_get_the_password(self, session: Session) -> None:
        with pytest.raises(errors.HostUnreachable, match="process-forwarded"):
            session._wire.get("https://elsewhere.invalid/v1/statement/executing/1/2/3")

    def test_values_of_every_kind(self, rows: Callable[..., Rows]) -> None:
        found = rows(
            "SELECT MAP(ARRAY['k'], ARRAY[CAST(1.5 AS double)]) AS m, ARRAY[TIMESTAMP '2020-01-01 00:00:00'] AS t,"
            " CAST(NULL AS ROW(a integer)) AS r"
        )
        assert found == [([("k", 1.5)], [datetime.datetime(2020, 1, 1)], None)]  # noqa: DTZ001  # TIMESTAMP has no zone


class TestParameters:
    def test_they_are_literals_that_no_value_leaves(self, rows: Callable[..., Rows]) -> None:
        text = 'it\'s \\ "q" ? ; -- '
        assert rows("SELECT ? AS a, ? AS b, ? AS c, ? AS d", text, 7, True, None) == [(text, 7, True, None)]

    def test_too_many(self, rows: Callable[..., Rows]) -> None:
        with pytest.raises(errors.ParametersRefused):
            rows("SELECT ? AS a", 1, 2)


class TestCatalogs:
    @pytest.fixture
    def found(self, session: Session) -> Callable[..., set[tuple[str | None, str | None, str]]]:
        return lambda *catalogs: {
            (table.catalog, table.schema, table.name)
            for table in session.tables(Scope((), catalogs))
            if table.catalog == "lake"
        }

    def test_only_the_connections_own_is_read(self, found: Callable[..., Any]) -> None:
        assert found() == set()

    @pytest.mark.parametrize("pattern", ["lake", "L*"])
    def test_others_that_are_included_are_read_too(self, found: Callable[..., Any], pattern: str) -> None:
        assert found(pattern) == {("lake", "raw", "events")}

    def test_types_are_trinos(self, session: Session) -> None:
        (events,) = [table for table in session.tables(Scope((), ("lake",))) if table.name == "events"]
        assert [(column.native_type, column.arrow_type) for column in events.columns] == [
            ("bigint", "int64"),
            ("array(varchar)", "list<item: string>"),
        ]


class TestSecrets:
    def test_no_error_says_the_password(self, warehouse: Warehouse) -> None:
        for changes in ({"passwordUnencrypted": f"{SENTINEL}x"}, {"port": plain_port(warehouse.server)}):
            with pytest.raises(Exception) as refused:  # noqa: PT011  # of whatever kind
                warehouse.dialect.connect(warehouse.config(**changes), SessionContext())
            assert "s3nt" not in str(refused.value)
