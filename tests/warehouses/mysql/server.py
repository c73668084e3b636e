"""MySQL's own answers, where they differ from MariaDB's, by a stub of ours on mysql-mimic.

Proves, through asyncmy: caching SHA-2 over TLS, `max_execution_time`, `transaction_read_only`, and the numbers that
MySQL 8 gives for what went wrong. The rest of MySQL is proven against a real MariaDB, see `mariadb.py`. Proven by
nothing: a real MySQL.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moorings.testing.engines import Server
from tests.warehouses.servers.stubs import stub

OWNER = "mysql"


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[Server]:
    """A stub that speaks TLS too; its certificate is `certificate`, for `localhost`."""
    with stub("mysql.mimic_stub", OWNER, "app", tls=True) as server:
        yield server
