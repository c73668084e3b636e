"""Statements: results in Arrow, parameters, streams in bounded memory, faults by their own names."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from moorings import errors
from moorings.dialects.base import Statement
from moorings.engine.service import Lease
from moorings.testing.engines import Case, Warehouse
from moorings.testing.room import Room

pytestmark = pytest.mark.needs("sql")

Rows = list[tuple[Any, ...]]


@pytest.fixture
def rows(inside: Callable[..., Any]) -> Callable[..., Rows]:
    """Run one statement; returns its rows."""
    return lambda sql, *parameters, **how: inside(lambda room: room.rows(sql, *parameters, **how))


@pytest.fixture
def schema(inside: Callable[..., Any]) -> Callable[[str], pa.Schema]:
    """Run one statement; returns the schema of its result."""

    def asking(sql: str) -> pa.Schema:
        async def work(room: Room) -> pa.Schema:
            async with room.engine.lease(room.target()) as lease:
                return await lease.open(Statement(sql))

        return inside(work)

    return asking


EXACT = decimal.Decimal("1234567890123456789012345678.1234567890")


class TestTypes:
    def test_each_has_its_arrow_type_and_its_value(
        self, inside: Callable[..., Any], warehouse: Warehouse, case: Case
    ) -> None:
        async def work(room: Room) -> tuple[str, list[Any]]:
            async with room.engine.lease(room.target()) as lease:
                schema = await lease.open(Statement(warehouse.sql.select.format(expression=case.sql)))
                batch = await lease.pull(lambda batch: batch)
            return str(schema.field(0).type), batch.column(0).to_pylist()

        arrow, found = inside(work)
        assert arrow == case.arrow
        assert found == [case.value] or (math.isnan(case.value) and math.isnan(found[0]))


@pytest.mark.needs("own sql")
class TestValues:
    def test_integers_to_the_last_bit(self, rows: Callable[..., Rows]) -> None:
        assert rows("SELECT 9223372036854775807 AS a, -9223372036854775807 AS b, 0 AS c") == [
            (9223372036854775807, -9223372036854775807, 0)
        ]

    def test_big_decimals_exactly(self, rows: Callable[..., Rows]) -> None:
        assert rows(f"SELECT CAST('{EXACT}' AS DECIMAL(38, 10)) AS exact") == [(EXACT,)]

    def test_nulls_are_nulls(self, rows: Callable[..., Rows]) -> None:
        assert rows("SELECT CAST(NULL AS DATE) AS b, NULL AS c") == [(None, None)]

    def test_unicode_and_quotes(self, rows: Callable[..., Rows]) -> None:
        assert rows("SELECT 'häß 😀 ''quoted'' 100%' AS text") == [("häß 😀 'quoted' 100%",)]

    def test_duplicate_column_names_survive(self, schema: Callable[[str], pa.Schema]) -> None:
        found = schema("SELECT 1 AS same, 2 AS same, 3 AS other")
        assert [name.lower() for name in found.names] == ["same", "same", "other"]

    def test_an_empty_result_has_its_columns(
        self, rows: Callable[..., Rows], schema: Callable[[str], pa.Schema]
    ) -> None:
        found = schema("SELECT 1 AS one, 'x' AS two WHERE 1 = 0")
        assert [name.lower() for name in found.names] == ["one", "two"]
        assert rows("SELECT 1 AS one WHERE 1 = 0") == []

    def test_a_statement_in_comments_and_with_a_semicolon(self, rows: Callable[..., Rows]) -> None:
        assert rows("/* before */ SELECT 1 AS one -- after\n;\n") == [(1,)]

    @pytest.mark.needs("plan", "explain")
    def test_what_explains_and_lists_runs_too(self, rows: Callable[..., Rows]) -> None:
        assert rows("EXPLAIN SELECT 1")


class TestPostgresValues:
    @pytest.fixture(autouse=True)
    def only(self, warehouse: Warehouse) -> None:
        if warehouse.under.dialect != "postgres":
            pytest.skip("never: types of PostgreSQL's own")

    def test_zoned_timestamps_are_utc(self, rows: Callable[..., Rows]) -> None:
        (found,) = rows("SELECT TIMESTAMPTZ '2020-01-01 12:00:00+02'")[0]
        assert found == datetime.datetime(2020, 1, 1, 10, tzinfo=datetime.UTC)

    def test_nan_and_infinity(self, rows: Callable[..., Rows]) -> None:
        found = rows("SELECT 'NaN'::float8, 'Infinity'::float8, 'NaN'::numeric, 'infinity'::timestamp")[0]
        assert math.isnan(found[0])
        assert found[1:] == (math.inf, "NaN", None)

    def test_nan_in_a_decimal_is_refused_rather_than_null(self, rows: Callable[..., Rows]) -> None:
        with pytest.raises(errors.StatementRefused, match="cast it to double or text"):
            rows("SELECT 'NaN'::numeric(10, 2)")

    def test_numbers_without_a_declared_precision_are_exact_text(self, rows: Callable[..., Rows]) -> None:
        assert rows("SELECT sum(i)::numeric / 3 AS third FROM generate_series(1, 4) i") == [("3.3333333333333333",)]

    def test_what_arrow_does_not_know_is_text(self, rows: Callable[..., Rows]) -> None:
        sql = (
            "SELECT '10.0.0.1'::inet, '[1,5)'::int4range, '{\"a\": 1}'::jsonb, TIMETZ '10:00+01',"
            " '3f333df6-90a4-4fda-8dd3-9485d27cee36'::uuid, ARRAY[1.5, 2.25]::numeric(5, 2)[]"
        )
        assert rows(sql) == [
            (
                "10.0.0.1",
                "[1,5)",
                '{"a": 1}',
                "10:00:00+01",
                "3f333df6-90a4-4fda-8dd3-9485d27cee36",
                ["1.50", "2.25"],
            )
        ]

    def test_the_dba_finds_the_query_by_its_id(self, rows: Callable[..., Rows]) -> None:
        assert rows("SELECT current_setting('application_name')", query_id="q-1") == [("moorings q-1",)]


class TestMySQLValues:
    @pytest.fixture(autouse=True)
    def only(self, warehouse: Warehouse) -> None:
        if warehouse.under.server != "mariadb_server":
            pytest.skip("never: types of MySQL's own")

    def test_unsigned_bits_and_years(self, rows: Callable[..., Rows]) -> None:
        sql = "SELECT CAST(18446744073709551615 AS UNSIGNED), b'1000000001' + 0, CAST(1.5 AS DECIMAL(65, 30))"
        assert rows(sql) == [(18446744073709551615, 513, decimal.Decimal("1.5"))]

    def test_dates_that_do_not_exist_are_null(self, rows: Callable[..., Rows], warehouse: Warehouse) -> None:
        warehouse.ask(
            "SET sql_mode = ''",
            "CREATE OR REPLACE TABLE odd (a DATE, b DATETIME, c TIME(1), d BIT(10), e JSON, f YEAR, g INT UNSIGNED)",
        )
        warehouse.ask(
            "SET sql_mode = ''",
            "INSERT INTO odd VALUES"
            " ('0000-00-00', '2020-00-00 00:00:00', '-838:59:59', b'11', '[1]', 1999, 4294967295)",
        )
        time = -datetime.timedelta(hours=838, minutes=59, seconds=59)
        assert rows("SELECT * FROM odd") == [(None, None, time, 3, "[1]", 1999, 4294967295)]

    def test_a_binary_collation_is_text_and_a_blob_is_not(self, schema: Callable[[str], pa.Schema]) -> None:
        found = schema("SELECT 'a' COLLATE utf8mb4_bin AS text, _binary 'a' AS bytes")
        assert [field.type for field in found] == [pa.string(), pa.binary()]

    def test_a_session_that_changed_database_comes_back(self, inside: Callable[..., Any]) -> None:
        async def work(room: Room) -> None:
            await room.rows("USE mysql")
            await room.settled()
            assert await room.rows("SELECT DATABASE()") == [("app",)]

        inside(work, pool_size=1)


@pytest.mark.needs("parameters")
class TestParameters:
    @pytest.mark.parametrize("value", ["x", 'it\'s \\ "quoted" %s $1 ; -- ', "häß 😀", None, ""])
    def test_a_text_arrives_as_it_is(self, rows: Callable[..., Rows], warehouse: Warehouse, value: str | None) -> None:
        assert rows(warehouse.sql.echo, value) == [(value,)]

    def test_numbers_compare_with_columns(self, rows: Callable[..., Rows], warehouse: Warehouse) -> None:
        mark = warehouse.sql.mark
        many = warehouse.sql.many.format(rows=1000)
        assert rows(f"SELECT count(*) AS found FROM ({many}) AS many WHERE number > {mark}", 990) == [(10,)]

    def test_many_rows_stream(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        mark = warehouse.sql.mark
        sql = f"SELECT number FROM ({warehouse.sql.many.format(rows=200_000)}) AS many WHERE number > {mark}"
        assert len(inside(lambda room: room.rows(sql, 0))) == 200_000

    @pytest.mark.parametrize("parameters", [(), ("a", "b")])
    def test_too_few_or_too_many(
        self, rows: Callable[..., Rows], warehouse: Warehouse, parameters: tuple[str, ...]
    ) -> None:
        with pytest.raises((errors.ParametersRefused, errors.StatementRefused)):
            rows(warehouse.sql.echo, *parameters)


class TestFaults:
    @pytest.mark.parametrize("sql", ["SELEC 1", "SELECT * FROM no_such_table", "SELECT no_such_column"])
    def test_what_cannot_run(self, rows: Callable[..., Rows], sql: str) -> None:
        self.refused(rows, sql)

    @pytest.mark.needs("empty statements")
    @pytest.mark.parametrize("sql", ["", " ; ", "-- nothing"])
    def test_what_is_no_statement(self, rows: Callable[..., Rows], sql: str) -> None:
        self.refused(rows, sql)

    def refused(self, rows: Callable[..., Rows], sql: str) -> None:
        with pytest.raises(errors.StatementRefused) as refused:
            rows(sql)
        assert refused.value.__context__ is None
        assert refused.value.__cause__ is None

    @pytest.mark.needs("one statement")
    def test_two_statements(self, rows: Callable[..., Rows]) -> None:
        with pytest.raises(errors.StatementRefused):
            rows("SELECT 1; SELECT 2")

    @pytest.mark.needs("grants")
    def test_no_permission_on_a_table(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        warehouse.ask(*warehouse.sql.reader)
        login = {"username": "reader", "passwordUnencrypted": "reader"}
        with pytest.raises(errors.StatementForbidden):
            inside(lambda room: room.rows("SELECT * FROM written", target=room.target(**login)))

    @pytest.mark.needs("session kill")
    def test_a_session_that_was_killed(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            async with room.engine.lease(room.target()) as lease:
                asyncio.get_running_loop().call_later(
                    0.5, lambda: asyncio.get_running_loop().run_in_executor(None, warehouse.kill, lease.session_id)
                )
                with pytest.raises(errors.SessionLost):
                    await _run(lease, warehouse.sql.slow.format(marker="killed"))
            await room.settled()
            assert await room.rows("SELECT 1 AS one") == [(1,)]

        inside(work)

    def test_the_encoders_own_error_is_not_the_warehouses(self, inside: Callable[..., Any]) -> None:
        def broken(_: object) -> None:
            raise LookupError("mine")

        async def work(room: Room) -> None:
            async with room.engine.lease(room.target()) as lease:
                await lease.open(Statement("SELECT 1 AS one"))
                with pytest.raises(LookupError, match="mine"):
                    await lease.pull(broken)

        inside(work)


async def _run(lease: Lease, sql: str) -> None:
    await lease.open(Statement(sql))
    await lease.pull(lambda batch: batch)


@pytest.mark.needs("streams")
class TestStreams:
    def test_batches_are_bounded_and_memory_is_flat(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        async def work(room: Room) -> tuple[int, int]:
            total, widest = 0, 0
            async with room.engine.lease(room.target()) as lease:
                await lease.open(Statement(warehouse.sql.many.format(rows=1_000_000)))
                before = pa.total_allocated_bytes()
                while (batch := await lease.pull(lambda batch: batch)) is not None:
                    total += batch.num_rows
                    widest = max(widest, pa.total_allocated_bytes() - before)
            return total, widest

        total, widest = inside(work)
        assert total == 1_000_000
        assert widest < 32 * 1024 * 1024

    def test_a_result_left_half_read_does_not_keep_its_session(
        self, inside: Callable[..., Any], warehouse: Warehouse
    ) -> None:
        async def work(room: Room) -> None:
            for _ in range(3):
                async with room.engine.lease(room.target()) as lease:
                    await lease.open(Statement(warehouse.sql.many.format(rows=1_000_000)))
                    await lease.pull(lambda batch: batch)
                async with asyncio.timeout(5):
                    assert await room.rows("SELECT 1 AS one") == [(1,)]

        inside(work, pool_size=1)
