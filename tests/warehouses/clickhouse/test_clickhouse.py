"""ClickHouse: what is special to it. Its modes of TLS, users whose profile reads only, its own types and parameters."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from moorings import errors
from moorings.dialects.base import SessionContext, Statement
from moorings.engine.service import TestReport
from moorings.testing.engines import Server, Warehouse
from moorings.testing.room import Room, run_inside
from tests.warehouses.clickhouse import server as clickhouse
from tests.warehouses.clickhouse.server import plain_port

Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def warehouse(clickhouse_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The warehouse, running."""
    return Warehouse(clickhouse.UNDER, clickhouse_server, tmp_path_factory.mktemp("unused"))


@pytest.fixture
def result(warehouse: Warehouse) -> Callable[..., pa.Table]:
    """Run one statement; returns its result in Arrow."""

    def running(sql: str, **changes: Any) -> pa.Table:
        async def work(room: Room) -> pa.Table:
            async with room.engine.lease(room.target(**changes)) as lease:
                schema = await lease.open(Statement(sql))
                batches = []
                while (batch := await lease.pull(lambda batch: batch)) is not None:
                    batches.append(batch)
                return pa.Table.from_batches(batches, schema)

        return run_inside(warehouse, work)

    return running


class TestTls:
    def test_verified_with_the_authority_that_was_given(
        self, probe: Callable[..., TestReport], warehouse: Warehouse
    ) -> None:
        authority = warehouse.server.certificate.read_text()
        report = probe(host="localhost", sslMode="verify-full", sslRootCert=authority)
        assert report.success, report
        assert report.steps[2].message == "The connection is encrypted."

    def test_a_trusted_server_certificate_is_not_verified(self, probe: Callable[..., TestReport]) -> None:
        assert probe(sslMode="verify-full", trustServerCertificate=True).success

    def test_without_tls_it_says_so(self, probe: Callable[..., TestReport], warehouse: Warehouse) -> None:
        report = probe(sslMode="disable", port=plain_port(warehouse.server))
        assert report.success, report
        assert (report.steps[2].status, report.steps[2].message) == ("skipped", "The connection is not encrypted.")

    def test_plain_words_to_a_port_with_tls(self, probe: Callable[..., TestReport], warehouse: Warehouse) -> None:
        report = probe(sslMode="disable")
        assert report.failure is not None
        assert report.failure.code == "session_lost"


class TestUnread:
    @pytest.mark.parametrize("whole", [False, True], ids=["half read", "read"])
    def test_a_result_that_is_dropped_is_killed_unless_it_was_read(self, warehouse: Warehouse, whole: bool) -> None:
        query_id = str(uuid.uuid4())

        async def work(room: Room) -> None:
            async with room.engine.lease(room.target()) as lease:
                await lease.open(Statement(warehouse.sql.many.format(rows=500_000), query_id=query_id))
                while await lease.pull(lambda batch: batch) is not None and whole:
                    pass
            await room.settled()

        run_inside(warehouse, work)
        kill = f"KILL QUERY WHERE query_id = '{query_id}' ASYNC"
        killed = [each for each in clickhouse.asked(warehouse.server) if each.startswith(kill)]
        assert len(killed) == (0 if whole else 1)


class TestProfiles:
    """Users who may change no setting (`readonly` 1), or every one but that (2)."""

    @pytest.mark.parametrize("user", ["reader", "careful"])
    def test_a_user_who_only_reads_can_be_tested_and_queried(
        self, probe: Callable[..., TestReport], rows: Callable[..., Rows], user: str
    ) -> None:
        changes = {"username": user, "passwordUnencrypted": user}
        assert probe(**changes).success
        assert rows("SELECT toDateTime('2020-01-01 00:00:00', 'UTC') AS a, 'x' AS b", changes=changes) == [
            (datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), "x")
        ]

    @pytest.mark.parametrize("user", ["reader", "careful"])
    def test_nobody_writes_even_where_the_connection_may(
        self, rows: Callable[..., Rows], warehouse: Warehouse, user: str
    ) -> None:
        warehouse.ask("CREATE TABLE IF NOT EXISTS kept (a Int32)")
        changes = {"username": user, "passwordUnencrypted": user, "readOnly": False}
        with pytest.raises(errors.ReadOnly):
            rows("INSERT INTO kept VALUES (1)", changes=changes, read_only=False)
        assert warehouse.ask("SELECT * FROM kept") == []


class TestSettings:
    def test_a_statement_that_only_reads_may_not_change_any(self, rows: Callable[..., Rows]) -> None:
        with pytest.raises(errors.ReadOnly, match="Remove SETTINGS"):
            rows("SELECT 1 SETTINGS max_threads = 1")

    def test_one_that_may_write_may(self, rows: Callable[..., Rows]) -> None:
        assert rows("SELECT 1 AS a SETTINGS max_threads = 1", changes={"readOnly": False}, read_only=False) == [(1,)]

    def test_the_server_ends_a_statement_by_itself(self, warehouse: Warehouse) -> None:
        session = warehouse.dialect.connect(warehouse.config(), SessionContext())
        with contextlib.closing(session), pytest.raises(Exception, match="Timeout exceeded") as ended:
            session.query(Statement(warehouse.sql.slow.format(marker="too_long"), timeout_seconds=1)).read_all()
        assert isinstance(warehouse.dialect.translate(ended.value, ()), errors.QueryTimeout)

    def test_a_format_of_its_own_is_refused(self, rows: Callable[..., Rows]) -> None:
        with pytest.raises(errors.StatementRefused, match="Remove FORMAT"):
            rows("SELECT 1 FORMAT JSON")


class TestTypes:
    def test_what_the_arrow_format_leaves_as_numbers_or_bytes(self, result: Callable[..., pa.Table]) -> None:
        table = result(
            "SELECT toUInt64(18446744073709551615) AS u, toInt128('-170141183460469231731687303715884105728') AS i,"
            " toUInt256('1') AS w, toDecimal256('1.5', 40) AS d, toIPv4('1.2.3.4') AS v4, toIPv6('::1') AS v6,"
            " CAST('it''s', 'Enum8(''a'' = 1, ''it\\\\''s'' = -2)') AS e, toLowCardinality('x') AS l,"
            " toUUID('3f333df6-90a4-4fda-8dd3-9485d27cee36') AS id, toUInt32(7) AS n, toInt8(1) AS t"
        )
        assert [str(kind) for kind in table.schema.types] == [
            "uint64", "decimal256(39, 0)", "string", "decimal256(76, 40)", *("string",) * 5, "uint32", "int8",
        ]  # fmt: skip
        assert list(table.to_pylist()[0].values()) == [
            18446744073709551615,
            decimal.Decimal(-(2**127)),
            "1",
            decimal.Decimal("1.5"),
            "1.2.3.4",
            "::1",
            "it's",
            "x",
            "3f333df6-90a4-4fda-8dd3-9485d27cee36",
            7,
            1,
        ]

    def test_times_have_their_own_zone_or_the_sessions(self, result: Callable[..., pa.Table]) -> None:
        table = result(
            "SELECT toDateTime('2020-01-01 00:00:00') AS a, toDateTime('2020-01-01 00:00:00', 'Europe/Berlin') AS b,"
            " toDateTime64('2020-01-01 00:00:00.5', 3) AS c,"
            " toDateTime64('2020-01-01 00:00:00.123456789', 9, 'UTC') AS d",
            queryTimezone="Asia/Tokyo",
        )
        assert [str(kind) for kind in table.schema.types] == [
            "timestamp[s, tz=Asia/Tokyo]",
            "timestamp[s, tz=Europe/Berlin]",
            "timestamp[ms, tz=Asia/Tokyo]",
            "timestamp[ns, tz=UTC]",
        ]
        midnight = table.column("a").cast(pa.timestamp("s", "UTC")).to_pylist()
        assert midnight == [datetime.datetime(2019, 12, 31, 15, tzinfo=datetime.UTC)]

    def test_nested_ones(self, result: Callable[..., pa.Table]) -> None:
        table = result(
            "SELECT [toUUID('3f333df6-90a4-4fda-8dd3-9485d27cee36'), NULL] AS a, map('k', toIPv4('1.2.3.4')) AS m,"
            " [tuple(toDateTime('2020-01-01 00:00:00'), [CAST('a', 'Enum8(''a'' = 1)')])] AS t, (1.0, 2.0)::Point AS p"
        )
        assert [str(kind) for kind in table.schema.types] == [
            "list<item: string>",
            "map<string, string>",
            "list<item: struct<1: timestamp[s, tz=UTC], 2: list<item: string>>>",
            "struct<1: double, 2: double>",
        ]
        assert table.to_pylist()[0] == {
            "a": ["3f333df6-90a4-4fda-8dd3-9485d27cee36", None],
            "m": [("k", "1.2.3.4")],
            "t": [{"1": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), "2": ["a"]}],
            "p": {"1": 1.0, "2": 2.0},
        }

    def test_bytes_that_are_no_text_are_replaced(self, rows: Callable[..., Rows]) -> None:
        assert rows("SELECT unhex('61ff62') AS a, ['x', unhex('ff')] AS b") == [("a\ufffdb", ["x", "\ufffd"])]

    def test_json_and_variants_are_text(self, rows: Callable[..., Rows]) -> None:
        found = rows("""SELECT '{"a": 1}'::JSON AS j, CAST(toInt32(7), 'Variant(Int32, String)') AS v""")
        assert found == [('{"a":1}', "7")]

    def test_exact_numbers_and_unicode(self, rows: Callable[..., Rows]) -> None:
        exact = decimal.Decimal("1234567890123456789012345678.1234567890")
        assert rows(
            f"SELECT CAST('{exact}' AS DECIMAL(38, 10)) AS a, -9223372036854775808 AS b, 'häß ''😀'' 1%' AS c"
        ) == [(exact, -9223372036854775808, "häß '😀' 1%")]

    def test_an_empty_result_has_its_columns(self, result: Callable[..., pa.Table]) -> None:
        table = result("SELECT 1 AS one, now() AS two WHERE 0")
        assert (table.num_rows, [str(kind) for kind in table.schema.types]) == (0, ["uint8", "timestamp[s, tz=UTC]"])

    def test_what_is_no_select_has_a_result_too(self, rows: Callable[..., Rows]) -> None:
        assert ("app",) in rows("SHOW DATABASES")
        assert rows("EXPLAIN SELECT 1")
        assert rows("/* before */ SELECT 1 AS one -- after\n;\n") == [(1,)]


class TestParameters:
    def test_they_have_types_and_are_bound_by_the_server(self, rows: Callable[..., Rows]) -> None:
        text = "tab\t, line\n, quote ' and \\N"
        found = rows("SELECT {p1:String} AS a, {p2:Array(Int64)} AS b, {p3:Bool} AS c", text, [1, 2], True)
        assert found == [(text, [1, 2], True)]

    def test_a_value_of_another_type_is_refused(self, rows: Callable[..., Rows]) -> None:
        with pytest.raises(errors.ParametersRefused):
            rows("SELECT {p1:Int64} AS a", "1); DROP TABLE x")

    @pytest.mark.parametrize("sql", ["SELECT {p2:Int64}", "SELECT {name:Int64}", "SELECT '{p1:Int64}'", "SELECT 1"])
    def test_those_that_the_statement_does_not_name_are_refused(self, rows: Callable[..., Rows], sql: str) -> None:
        with pytest.raises(errors.ParametersRefused, match="p1:String"):
            rows(sql, 1)


class TestFaults:
    def test_a_missing_grant(self, rows: Callable[..., Rows]) -> None:
        with pytest.raises(errors.StatementForbidden):
            rows("CREATE USER another", changes={"readOnly": False}, read_only=False)

    def test_a_statement_is_named_to_the_server(self, warehouse: Warehouse, rows: Callable[..., Rows]) -> None:
        query_id = str(uuid.uuid4())
        assert rows("SELECT getSetting('insert_deduplication_token') AS id", query_id=query_id) == [(query_id,)]


class TestStructure:
    def test_estimates_and_kinds(self, warehouse: Warehouse) -> None:
        from moorings.dialects.introspection import Scope

        warehouse.ask(
            "CREATE DATABASE IF NOT EXISTS shapes",
            "CREATE OR REPLACE TABLE shapes.facts (id UInt64, day Date) ENGINE = MergeTree ORDER BY (day, id)",
            "INSERT INTO shapes.facts SELECT number, today() FROM numbers(1000)",
            "CREATE OR REPLACE TABLE shapes.odd (id UInt64) ENGINE = MergeTree ORDER BY cityHash64(id)",
            "CREATE TABLE IF NOT EXISTS shapes.away (id UInt64) ENGINE = URL('http://127.0.0.1:1/', 'CSV')",
        )

        async def work(room: Room) -> Any:
            target = room.target(includeSchemas="shapes")
            async with room.engine.lease(target) as lease:
                return await lease.ask(lambda session: session.tables(Scope.of(target.config)), 30)

        tables = {table.name: table for table in run_inside(warehouse, work)}
        assert (tables["facts"].row_count, tables["facts"].primary_key) == (1000, ("day", "id"))
        assert tables["facts"].size_bytes > 0
        assert tables["odd"].primary_key == ()
        assert tables["away"].kind == "external table"
        warehouse.ask("DROP DATABASE shapes")


def test_importing_the_dialect_loads_no_driver() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from moorings import dialects; dialects.named('clickhouse'); dialects.named('trino');"
        "print([name for name in ('clickhouse_connect', 'trino', 'requests', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "[]"


def test_the_comment_in_the_servers_log_has_the_query_and_its_trace(rows: Callable[..., Any]) -> None:
    query_id, trace = str(uuid.uuid4()), f"00-{'4' * 32}-{'7' * 16}-01"
    found = rows("SELECT getSetting('log_comment') AS comment", query_id=query_id, traceparent=trace)
    assert found == [(f"{query_id} traceparent={trace}",)]
