"""The state of a session: its time zone, its default schema, and the query's id where a DBA sees it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from moorings.dialects.base import Statement
from moorings.testing.engines import Warehouse
from moorings.testing.room import Room, ends, until

pytestmark = pytest.mark.needs("sql")


@pytest.mark.needs("zone")
class TestZone:
    def zone(self, inside: Callable[..., Any], **changes: Any) -> str:
        async def work(room: Room) -> list[tuple[Any, ...]]:
            return await room.rows(room.warehouse.sql.zone, target=room.target(**changes))

        return str(inside(work)[0][0])

    def test_it_is_the_one_that_results_are_shown_in(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        found = self.zone(inside, systemTimezone="UTC", queryTimezone="Asia/Tokyo")
        assert found in ("Asia/Tokyo", "+09:00")

    def test_else_the_one_that_stored_times_are_in(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        assert self.zone(inside, systemTimezone="Asia/Tokyo") in ("Asia/Tokyo", "+09:00")
        assert self.zone(inside) in ("UTC", "Etc/UTC", "+00:00", "Z")

    def test_it_is_another_one_for_the_next_connection(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        assert self.zone(inside, queryTimezone="Asia/Tokyo") != self.zone(inside, queryTimezone="America/Sao_Paulo")


@pytest.mark.needs("structure", "default schema")
class TestDefaultSchema:
    @pytest.fixture(autouse=True)
    def made(self, warehouse: Warehouse) -> Iterator[None]:
        warehouse.ask(*warehouse.sql.structure)
        yield
        warehouse.ask(*warehouse.sql.structure_gone)

    def test_names_without_a_schema_are_looked_up_there(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        async def work(room: Room) -> list[tuple[Any, ...]]:
            target = room.target(**warehouse.sql.in_other)
            async with room.engine.lease(target) as lease:
                await lease.ask(lambda session: session.check_schemas(), 10)
            return await room.rows("SELECT * FROM elsewhere", target=target)

        assert inside(work) == []


@pytest.mark.needs("process list", "tag")
class TestTag:
    def test_the_dba_finds_a_running_query_by_its_id(self, inside: Callable[..., Any], warehouse: Warehouse) -> None:
        query_id = str(uuid.uuid4())

        async def run(room: Room) -> None:
            async with room.engine.lease(room.target()) as lease:
                await lease.open(Statement(warehouse.sql.slow.format(marker="tagged"), query_id=query_id))
                await lease.pull(lambda batch: batch)

        async def work(room: Room) -> None:
            task = asyncio.ensure_future(run(room))
            await until(lambda: warehouse.tagged(query_id) == 1)
            await ends(task)

        inside(work)
