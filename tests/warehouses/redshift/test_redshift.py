"""What is Redshift's own: values as they travel, rows left on the wire, sessions that cannot be reset."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from moorings import errors
from moorings.dialects.introspection import Scope, Table
from moorings.engine.service import TestReport
from moorings.testing.engines import Server, Warehouse
from moorings.testing.room import Room
from tests.warehouses.engines import under

Rows = list[tuple[Any, ...]]
Run = Callable[..., Rows]


@pytest.fixture(scope="module")
def warehouse(redshift_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """PostgreSQL in Redshift's place, behind its proxy."""
    return Warehouse(under("redshift"), redshift_server, tmp_path_factory.mktemp("none"))


class TestValues:
    @pytest.mark.parametrize(
        ("expression", "value"),
        [
            ("4294967295::oid", 4294967295),
            ("'NaN'::numeric", "NaN"),
            ("'Infinity'::numeric", "Infinity"),
            ("1.50::numeric", "1.50"),
            ("timetz '10:00+01'", "10:00:00+01"),
            ("time '24:00'", None),
            ("date '2020-01-01 BC'", None),
            ("date '12020-01-01'", None),
            ("date 'infinity'", None),
            ("timestamp '-infinity'", None),
            ("timestamp '9999-12-31 23:59:59.999999'", datetime.datetime.max),  # noqa: DTZ901  # it has no zone
            ("timestamp '0001-01-01'", datetime.datetime.min),  # noqa: DTZ901
            ("timestamptz 'infinity'", None),
            ("interval '1 mon 2 days'", "1 mon 2 days"),
            ("'a%b'", "a%b"),
        ],
    )
    def test_each_arrives_as_what_it_is_or_not_at_all(self, rows: Run, expression: str, value: Any) -> None:
        assert rows(f"SELECT {expression} AS value") == [(value,)]

    def test_a_number_that_no_decimal_can_hold_is_an_error(self, rows: Run) -> None:
        with pytest.raises(errors.StatementRefused, match="NaN or infinite"):
            rows("SELECT 'NaN'::numeric(5, 2) AS value")

    def test_an_instant_is_the_same_in_every_session(self, inside: Callable[..., Any]) -> None:
        sql = "SELECT timestamptz '2020-01-01 12:00:00+05:45' AS moment"
        found = inside(lambda room: room.rows(sql, target=room.target(queryTimezone="Asia/Kathmandu")))
        assert found == [(datetime.datetime(2020, 1, 1, 6, 15, tzinfo=datetime.UTC),)]

    def test_a_percent_sign_outside_of_texts_is_doubled_beside_parameters(self, rows: Run) -> None:
        assert rows("SELECT 7 %% %s::integer, '5%'", 4) == [(3, "5%")]
        assert rows("SELECT 7 % 4") == [(3,)]

    @pytest.mark.parametrize("value", [2**70, 1.5, True, None])
    def test_parameters_of_other_types(self, rows: Run, value: Any) -> None:
        kind = {int: "numeric(38, 0)", float: "float8", bool: "boolean"}.get(type(value), "text")
        assert rows(f"SELECT %s::{kind}", value) == [(value,)]

    def test_a_parameter_that_is_no_value(self, rows: Run) -> None:
        with pytest.raises(errors.ParametersRefused):
            rows("SELECT %s::text", {"a": 1})


class TestSessions:
    def ids(self, inside: Callable[..., Any], *, read_only: bool) -> set[str]:
        async def work(room: Room) -> set[str]:
            target, found = room.target(readOnly=read_only), set()
            for _ in range(2):
                found |= {str(row[0]) for row in await room.rows(PID, target=target, read_only=read_only)}
                await room.settled()
            return found

        return inside(work, pool_size=1)

    def test_one_that_only_read_is_used_again(self, inside: Callable[..., Any]) -> None:
        assert len(self.ids(inside, read_only=True)) == 1

    def test_one_that_may_have_written_is_not(self, inside: Callable[..., Any]) -> None:
        assert len(self.ids(inside, read_only=False)) == 2

    def test_what_is_no_result_is_refused_and_its_session_given_up(self, inside: Callable[..., Any]) -> None:
        async def work(room: Room) -> Rows:
            with pytest.raises(errors.StatementRefused, match="no result"):
                await room.rows("COPY (SELECT 1) TO STDOUT", read_only=False)
            await room.settled()
            with pytest.raises(errors.ReadOnly):
                await room.rows("COPY (SELECT 1) TO STDOUT")
            await room.settled()
            return await room.rows("SELECT 1 AS one")

        assert inside(work, pool_size=1) == [(1,)]

    def test_an_error_behind_the_first_rows_is_told(self, rows: Run) -> None:
        with pytest.raises(errors.StatementRefused) as refused:
            rows("SELECT 1 / (100000 - i) AS n FROM generate_series(1, 100000) i")
        assert refused.value.detail == "division by zero"


PID = "SELECT pg_backend_pid() AS pid"


class TestSizes:
    def found(self, inside: Callable[..., Any], warehouse: Warehouse, **changes: Any) -> Table:
        warehouse.ask(
            "DROP TABLE IF EXISTS sized",
            "CREATE TABLE sized AS SELECT repeat('x', 1000) AS a FROM generate_series(1, 5000)",
            "ANALYZE sized",
            "GRANT SELECT ON sized TO PUBLIC",
            "DROP ROLE IF EXISTS plain",
            "CREATE ROLE plain LOGIN PASSWORD 'plain'",
        )

        async def work(room: Room) -> Sequence[Table]:
            async with room.engine.lease(room.target(**changes)) as lease:
                return await lease.ask(lambda session: session.tables(Scope()), 60)

        return next(table for table in inside(work) if table.name == "sized")

    def test_they_are_told_to_those_who_may_see_them(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        sized = self.found(inside, warehouse)
        assert sized.row_count == 5000
        assert sized.size_bytes is not None
        assert sized.size_bytes >= 5_000_000

    def test_others_see_the_table_without(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        sized = self.found(inside, warehouse, username="plain", passwordUnencrypted="plain")
        assert (sized.row_count, sized.size_bytes) == (None, None)
        assert [column.native_type for column in sized.columns] == ["text"]


@pytest.mark.parametrize("mode", ["require", "disable"])
def test_another_service_is_told_in_words_of_its_own(inside: Callable[..., Any], mode: str) -> None:
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


def test_tls_is_required_unless_told_otherwise(
    inside: Callable[..., Any], warehouse: Warehouse, plain_redshift_server: Server
) -> None:
    def probe(**changes: Any) -> TestReport:
        config = warehouse.config(port=plain_redshift_server.port, **changes)
        return inside(lambda room: room.engine.test(warehouse.dialect, config))

    failure = probe().failure
    assert failure is not None
    assert (failure.name, failure.code) == ("tls", "tls_not_offered")
    assert probe(sslMode="prefer").success
