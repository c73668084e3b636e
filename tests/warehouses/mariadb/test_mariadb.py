"""What is MariaDB's own."""

from __future__ import annotations

from typing import Any

import pytest

from moorings import errors
from moorings.testing.engines import Warehouse
from moorings.testing.room import Room, run_inside
from tests.warehouses.engines import under


@pytest.mark.parametrize(
    "sql", ["COMMIT", "ROLLBACK", "BEGIN", "START TRANSACTION", "XA START 'x'", "CREATE TABLE a (b INT)"]
)
def test_what_would_leave_the_transaction_hears_that_the_connection_only_reads(
    mariadb_server: Any, tmp_path: Any, sql: str
) -> None:
    async def work(room: Room) -> None:
        with pytest.raises(errors.ReadOnly, match="This connection only reads"):
            await room.rows(sql)

    run_inside(Warehouse(under("mariadb"), mariadb_server, tmp_path), work)
