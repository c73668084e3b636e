"""Results that nobody reads: the statement ends in the server, and what the server sends meanwhile is not collected."""

from __future__ import annotations

import os
import sys
import uuid
from typing import Any

import pytest

from moorings.dialects.base import Statement
from moorings.testing.engines import Warehouse
from moorings.testing.room import Room, appears, disappears, run_inside
from tests.security.memory import MEGABYTE, Memory
from tests.warehouses.engines import under

SENDING = ("postgres", "redshift", "mariadb", "mssql")
"""One of each driver whose server sends while it computes, and shows a statement until its last row was taken."""


@pytest.fixture(scope="module", params=SENDING)
def warehouse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The engine, running."""
    row = under(request.param)
    return Warehouse(row, request.getfixturevalue(str(row.server)), tmp_path_factory.mktemp("unused"))


@pytest.mark.parametrize("how", ["cancelled", "dropped"])
def test_the_statement_ends_in_the_server_when_it_is(warehouse: Warehouse, how: str) -> None:
    marker = f"unread_{uuid.uuid4().hex}"

    async def work(room: Room) -> None:
        async with room.engine.lease(room.target()) as lease:
            await lease.open(Statement(f"{warehouse.sql.many.format(rows=3_000_000)} /* {marker} */"))
            await lease.pull(lambda batch: batch)
            await appears(warehouse, marker)
            if how == "cancelled":
                await lease.cancel()
                await disappears(warehouse, marker)
        await disappears(warehouse, marker)

    run_inside(warehouse, work)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak in /proc")
def test_a_slow_reader_needs_no_memory_for_what_waits(mariadb_server: Any, tmp_path: Any) -> None:
    """The driver of the MySQL family receives whatever comes, unless it is kept from it."""
    warehouse = Warehouse(under("mariadb"), mariadb_server, tmp_path)
    statement = Statement("SELECT seq, REPEAT('x', 1000) AS wide FROM app.seq_1_to_100000", batch_rows=50)

    async def work(room: Room) -> None:
        async with room.engine.lease(room.target()) as lease:
            await lease.open(statement)
            await lease.pull(lambda batch: batch)
            memory = Memory(os.getpid())
            memory.forget()
            while await lease.pull(lambda batch: batch and batch.num_rows) is not None:
                pass
            assert memory.grown() < 40 * MEGABYTE, "of 100 that the server sends"

    run_inside(warehouse, work)
