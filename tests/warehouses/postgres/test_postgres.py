"""What is PostgreSQL's own: types that its driver gets wrong, statements that nothing can enclose, and its login."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from moorings import errors
from moorings.dialects.base import Statement
from moorings.engine.service import TestReport
from moorings.testing.engines import Server, Warehouse
from moorings.testing.room import Room
from tests.warehouses.engines import under

Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def warehouse(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """PostgreSQL, with a composite type, an enum and a domain."""
    warehouse = Warehouse(under("postgres"), postgres_server, tmp_path_factory.mktemp("none"))
    warehouse.ask(
        "DROP TABLE IF EXISTS odd",
        "DROP TYPE IF EXISTS pair, mood",
        "CREATE TYPE pair AS (a integer, b text)",
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE TABLE odd (n integer, net inet, grid integer[], duo pair, moods mood[])",
    )
    return warehouse


@pytest.fixture
def writing(inside: Callable[..., Any]) -> Callable[..., Rows]:
    """Run one statement that may write; returns its rows."""

    def run(sql: str, *parameters: Any) -> Rows:
        return inside(
            lambda room: room.rows(sql, *parameters, target=room.target(readOnly=False), read_only=False),
        )

    return run


class TestArrays:
    def test_several_dimensions_are_text(self, rows: Callable[..., Rows]) -> None:
        assert rows("SELECT array[[1, 2], [3, 4]], array[5]") == [("{{1,2},{3,4}}", [5])]

    def test_empty_ones_and_null_go_with_them(self, rows: Callable[..., Rows]) -> None:
        sql = "SELECT * FROM (VALUES (array[[1, 2]]), ('{}'), (NULL)) AS v(grid)"
        assert rows(sql) == [("{{1,2}}",), ("{}",), (None,)]

    @pytest.mark.parametrize("last", [1, 100_000])
    def test_one_that_differs_from_the_first_is_refused(self, rows: Callable[..., Rows], last: int) -> None:
        grid = f"CASE WHEN i <= {last} THEN array[i] ELSE array[[i]] END AS grid"
        sql = f"SELECT {grid} FROM generate_series(1, {last + 1}) i"
        with pytest.raises(errors.StatementRefused, match=r"arrays of column grid differ .* Cast it to text"):
            rows(sql)

    def test_where_they_begin_to_count_is_lost(self, rows: Callable[..., Rows]) -> None:
        assert rows("SELECT '[2:3]={1,2}'::integer[], '[0:0]={7}'::integer[]") == [([1, 2], [7])]

    def test_what_the_driver_does_not_know_is_text_inside(self, rows: Callable[..., Rows]) -> None:
        sql = "SELECT array['10.0.0.1'::inet], array['[1,2]'::int4range], array[ROW(1, 'a')::pair], array['sad'::mood]"
        assert rows(sql) == [(["10.0.0.1"], ["[1,3)"], ["(1,a)"], ["sad"])]

    def test_what_they_hold_follows_the_same_rules(self, rows: Callable[..., Rows]) -> None:
        sql = (
            "SELECT array[4294967295::oid], array['NaN'::numeric, 2.50], array['infinity'::timestamp], array[money '2']"
        )
        assert rows(sql) == [([4294967295], ["NaN", "2.50"], [None], ["$2.00"])]

    def test_types_made_after_the_login_are_no_different(
        self, inside: Callable[..., Any], warehouse: Warehouse
    ) -> None:
        async def work(room: Room) -> tuple[Rows, Rows]:
            before = await room.rows("SELECT 1 AS one")
            await room.settled()
            warehouse.ask("DROP TYPE IF EXISTS young", "CREATE TYPE young AS ENUM ('very')")
            return before, await room.rows("SELECT 'very'::young, array['very'::young]")

        assert inside(work, pool_size=1) == ([(1,)], [("very", ["very"])])


class TestScalars:
    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ("4294967295::oid", 4294967295),
            ("money '1.5'", "$1.50"),
            ("'NaN'::numeric", "NaN"),
            ("'Infinity'::numeric", "Infinity"),
            ("'-Infinity'::numeric", "-Infinity"),
            ("ROW(1, 'a')", "(1,a)"),
            ("(SELECT p FROM (VALUES (1, 'a')) AS p)", "(1,a)"),
            ("interval '5 days 1 hour'", pa.MonthDayNano([0, 5, 3_600_000_000_000])),
            ("timetz '10:00+01'", "10:00:00+01"),
            ("time '24:00'", None),
            ("date '2020-01-01 BC'", None),
            ("timestamp '12020-01-01'", None),
            ("pg_sleep(0)", ""),
        ],
    )
    def test_each_arrives_as_what_it_is_or_not_at_all(
        self, rows: Callable[..., Rows], expression: str, value: Any
    ) -> None:
        assert rows(f"SELECT {expression} AS value") == [(value,)]

    def test_a_whole_row_is_text(self, rows: Callable[..., Rows]) -> None:
        assert rows("SELECT t FROM (SELECT 1 AS a, NULL::text AS b) AS t") == [("(1,)",)]


class TestOnlyOnce:
    def test_a_statement_with_such_a_column_runs_once(self, inside: Callable[..., Any]) -> None:
        inside(lambda room: room.rows("SELECT pg_sleep(2), inet '10.0.0.1'", timeout_seconds=3.5))

    def test_so_says_what_it_counts(self, writing: Callable[..., Rows], warehouse: Warehouse) -> None:
        warehouse.ask("CREATE SEQUENCE IF NOT EXISTS runs", "ALTER SEQUENCE runs RESTART")
        assert writing("SELECT nextval('runs'), inet '10.0.0.1'") == [(1, "10.0.0.1")]
        assert warehouse.ask("SELECT nextval('runs')") == [(2,)]

    @pytest.mark.parametrize("mark", ["5", "$1"])
    def test_what_writes_and_returns_is_cast_too(
        self, writing: Callable[..., Rows], warehouse: Warehouse, mark: str
    ) -> None:
        warehouse.ask("TRUNCATE odd")
        sql = (
            f"INSERT INTO odd VALUES ({mark}::integer, '10.0.0.1', '{{{{1}},{{2}}}}', (1, 'a'), '{{glad}}') RETURNING *"
        )
        row = (5, "10.0.0.1", "{{1},{2}}", "(1,a)", ["glad"])
        assert writing(sql, *([5] if mark == "$1" else [])) == [row]
        assert warehouse.ask("SELECT count(*) FROM odd") == [(1,)]

    def test_what_cannot_be_enclosed_still_runs(self, writing: Callable[..., Rows], warehouse: Warehouse) -> None:
        warehouse.ask("TRUNCATE odd")
        sql = "WITH w AS (INSERT INTO odd VALUES (3, '10.0.0.1') RETURNING n, net) SELECT n, net FROM w"
        ((number, net),) = writing(sql)
        assert number == 3
        assert isinstance(net, bytes)
        assert warehouse.ask("SELECT n FROM odd") == [(3,)]

    @pytest.mark.parametrize("sql", ["SHOW timezone", "EXPLAIN SELECT 1", "VALUES (inet '10.0.0.1')", "TABLE odd"])
    def test_statements_of_other_kinds(self, rows: Callable[..., Rows], sql: str) -> None:
        assert isinstance(rows(sql), list)

    def test_a_cursor_that_is_not_there(self, rows: Callable[..., Rows], writing: Callable[..., Rows]) -> None:
        with pytest.raises(errors.StatementRefused):
            writing("FETCH ALL FROM nothing")
        with pytest.raises(errors.ReadOnly):  # the server describes no columns
            rows("FETCH ALL FROM nothing")

    @pytest.mark.parametrize("tail", ["; -- the end", ";\n-- one\n-- two\n", " -- the end", ";;"])
    def test_a_comment_at_the_end_is_in_nobodys_way(self, rows: Callable[..., Rows], tail: str) -> None:
        assert rows(f"SELECT array[[1]] AS grid{tail}") == [("{{1}}",)]

    def test_what_only_looks_like_the_end(self, rows: Callable[..., Rows]) -> None:
        assert rows("SELECT '; -- no', inet '10.0.0.1'") == [("; -- no", "10.0.0.1")]
        assert rows("SELECT 'a;\n-- no'") == [("a;\n-- no",)]

    def test_names_and_order_survive_the_casts(self, inside: Callable[..., Any]) -> None:
        async def work(room: Room) -> tuple[list[str], list[int]]:
            sql = "SELECT i AS same, inet '10.0.0.1' AS same FROM generate_series(1, 3) i ORDER BY i DESC"
            async with room.engine.lease(room.target()) as lease:
                schema = await lease.open(Statement(sql))
                batch = await lease.pull(lambda batch: batch)
            return schema.names, batch.column(0).to_pylist()

        assert inside(work) == (["same", "same"], [3, 2, 1])


class TestParameters:
    @pytest.mark.parametrize("kind", ["integer", "bigint", "text"])
    def test_a_number_that_is_too_large(self, rows: Callable[..., Rows], kind: str) -> None:
        with pytest.raises(errors.ParametersRefused, match="too large"):
            rows(f"SELECT $1::{kind}", 2**70)

    def test_a_numeric_has_room_for_it(self, rows: Callable[..., Rows]) -> None:
        assert rows("SELECT $1::numeric", 2**70) == [(str(2**70),)]

    def test_results_of_statements_with_parameters_are_cast_too(self, rows: Callable[..., Rows]) -> None:
        assert rows("SELECT $1::inet, array[[$2::integer]]", "10.0.0.1", 3) == [("10.0.0.1", "{{3}}")]


class TestFaults:
    def test_copy_to_the_client(self, inside: Callable[..., Any]) -> None:
        async def work(room: Room) -> Rows:
            with pytest.raises(errors.StatementRefused, match="COPY to or from the client"):
                await room.rows("COPY odd TO STDOUT", read_only=False)
            await room.settled()
            with pytest.raises(errors.ReadOnly):
                await room.rows("COPY odd TO STDOUT")
            await room.settled()
            return await room.rows("SELECT 1 AS one")

        assert inside(work, pool_size=1) == [(1,)]

    @pytest.mark.parametrize("name", ["timed out", "Connection refused", "canceling statement", "SSL error"])
    def test_what_a_statement_quotes_is_no_fault_of_the_way_there(self, rows: Callable[..., Rows], name: str) -> None:
        with pytest.raises(errors.StatementRefused):
            rows(f"SELECT '{name}' FROM nowhere")
        with pytest.raises(errors.StatementRefused):
            rows(f'SELECT "{name}"')
        with pytest.raises(errors.StatementRefused):
            rows(f"SELEC '{name}'")

    @pytest.mark.parametrize(
        ("expression", "words"),
        [
            ("'infinity'::interval", "An interval is infinite"),
            ("interval '3000000 hours'", "beyond 292 years"),
            ("array['infinity'::interval]", "cast it to text"),
            ("'NaN'::numeric(5, 2)", "NaN or infinite"),
        ],
    )
    @pytest.mark.parametrize("parameters", [(), (1,)])
    def test_a_value_that_arrow_cannot_hold_is_an_error_and_never_null(
        self, rows: Callable[..., Rows], expression: str, words: str, parameters: tuple[int, ...]
    ) -> None:
        where = " WHERE $1 = 1" if parameters else ""
        with pytest.raises(errors.StatementRefused, match=words):
            rows(f"SELECT {expression} AS value{where}", *parameters)
        assert rows(f"SELECT ({expression})::text AS value{where}", *parameters)[0][0]


class TestLogin:
    def _report(self, inside: Callable[..., Any], **changes: Any) -> TestReport:
        return inside(lambda room: room.engine.test(room.warehouse.dialect, room.warehouse.config(**changes)))

    def test_no_free_connection_is_a_fault_of_the_login(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        warehouse.ask("DROP ROLE IF EXISTS last", "CREATE ROLE last LOGIN PASSWORD 'last' CONNECTION LIMIT 0")
        report = self._report(inside, username="last", passwordUnencrypted="last")
        assert report.failure is not None
        assert (report.failure.name, report.failure.code) == ("authenticate", "too_many_connections")
        assert "has no free connection" in report.failure.message

    @pytest.mark.parametrize("mode", ["require", "disable"])
    def test_another_service_is_told_in_words_of_its_own(self, inside: Callable[..., Any], mode: str) -> None:
        async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async def work(room: Room) -> TestReport:
            async with await asyncio.start_server(hello, "127.0.0.1", 0) as other:
                port = other.sockets[0].getsockname()[1]
                return await room.engine.test(room.warehouse.dialect, room.warehouse.config(port=port, sslMode=mode))

        report = inside(work)
        assert report.failure is not None
        assert (report.failure.code, set(report.failure.fields)) == ("another_service", {"host", "port"})
