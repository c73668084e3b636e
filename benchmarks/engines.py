"""The engines that queries are measured on: a row each, and all that differs between them.

Each holds one table of a million rows and ten mixed columns: two sizes of integers and a third that may be null, a
double, a decimal, a boolean, two texts, a date, an instant.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import servers
from moorings.testing.engines import Server
from tests.warehouses.clickhouse import server as chdb
from tests.warehouses.mariadb.server import ask, mariadb
from tests.warehouses.postgres.server import postgresql

ROWS = 1_000_000
SQL = "SELECT * FROM measured"


@dataclass(frozen=True, slots=True)
class Source:
    """A running engine that holds the table."""

    connection: Mapping[str, Any]
    """What the API is told of it, besides dialect and name."""
    address: Mapping[str, Any]
    """What the driver alone is told, as drivers.py reads it."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine: what it is called, how it is started, and how it repeats the table."""

    title: str
    dialect: str
    serve: Callable[[Path], AbstractContextManager[Source]]
    """Given the service's data directory, before the service starts."""
    many: str
    """The table's rows over and over."""
    times: int = 10
    arrow: bool = True
    """Whether its driver alone hands over Arrow, which a bare app can stream."""


def _login(server: Server, **more: Any) -> dict[str, Any]:
    at = {"host": server.host, "port": server.port, "database": server.database}
    return at | {"username": server.username, "passwordUnencrypted": server.password} | more


# ---- PostgreSQL ---------------------------------------------------------------------------------------------------

POSTGRESQL_TABLE = f"""
CREATE TABLE measured AS SELECT
    n::bigint AS id, (n % 1000)::integer AS store, (n * 0.37)::double precision AS score,
    (n % 100000 / 100.0)::numeric(12, 2) AS amount, n % 3 = 0 AS paid, 'customer ' || n % 50000 AS customer,
    md5(n::text) AS reference, date '2020-01-01' + (n % 2000)::integer AS day,
    timestamptz '2020-01-01 00:00:00Z' + n * interval '1 second' AS created, nullif(n % 7, 0)::smallint AS rating
FROM generate_series(1, {ROWS}) AS n
"""


@contextlib.contextmanager
def _postgresql(_: Path) -> Iterator[Source]:
    with postgresql(tls=False) as server:
        servers.execute(server, server.database, POSTGRESQL_TABLE, "VACUUM ANALYZE measured")
        yield Source(_login(server), {"uri": servers.address(server, server.database)})


# ---- MariaDB ------------------------------------------------------------------------------------------------------

MARIADB_COLUMNS = """
    id bigint NOT NULL, store int NOT NULL, score double NOT NULL, amount decimal(12, 2) NOT NULL,
    paid tinyint(1) NOT NULL, customer varchar(40) NOT NULL, reference char(32) NOT NULL, day date NOT NULL,
    created timestamp NOT NULL, rating smallint
"""
MARIADB_TABLE = f"""
CREATE TABLE measured ({MARIADB_COLUMNS}) ENGINE=Aria TRANSACTIONAL=0 SELECT
    seq AS id, seq % 1000 AS store, seq * 0.37 AS score, seq % 100000 / 100.0 AS amount, seq % 3 = 0 AS paid,
    concat('customer ', seq % 50000) AS customer, md5(seq) AS reference,
    date '2020-01-01' + interval (seq % 2000) day AS day,
    timestamp '2020-01-01 00:00:00' + interval seq second AS created, nullif(seq % 7, 0) AS rating
FROM seq_1_to_{ROWS}
"""


@contextlib.contextmanager
def _mariadb(_: Path) -> Iterator[Source]:
    with mariadb(tls=False) as server:
        ask(server, "SET time_zone = '+00:00'", MARIADB_TABLE)
        user = {"user": server.username, "password": server.password, "db": server.database}
        yield Source(_login(server), {"host": server.host, "port": server.port, **user})


# ---- DuckDB -------------------------------------------------------------------------------------------------------

DUCKDB_TABLE = f"""
CREATE TABLE measured AS SELECT
    n AS id, (n % 1000)::INTEGER AS store, (n * 0.37)::DOUBLE AS score,
    (n % 100000 / 100.0)::DECIMAL(12, 2) AS amount, n % 3 = 0 AS paid, 'customer ' || n % 50000 AS customer,
    md5(n::VARCHAR) AS reference, DATE '2020-01-01' + (n % 2000)::INTEGER AS day,
    TIMESTAMPTZ '2020-01-01 00:00:00Z' + to_seconds(n) AS created, nullif(n % 7, 0)::SMALLINT AS rating
FROM range(1, {ROWS} + 1) AS numbers(n)
"""


@contextlib.contextmanager
def _duckdb(data: Path) -> Iterator[Source]:
    import duckdb

    file = data / "duckdb" / "measured.duckdb"
    file.parent.mkdir()
    with duckdb.connect(str(file)) as connection:
        connection.execute(DUCKDB_TABLE)
    yield Source({"database": file.name}, {"path": str(file)})


# ---- ClickHouse ---------------------------------------------------------------------------------------------------

CLICKHOUSE_TABLE = f"""
CREATE TABLE measured ENGINE = MergeTree ORDER BY id AS SELECT
    toInt64(n) AS id, toInt32(n % 1000) AS store, n * 0.37 AS score, toDecimal64(n % 100000 / 100, 2) AS amount,
    n % 3 = 0 AS paid, concat('customer ', toString(n % 50000)) AS customer, lower(hex(MD5(toString(n)))) AS reference,
    toDate('2020-01-01') + toIntervalDay(n % 2000) AS day,
    toDateTime('2020-01-01 00:00:00', 'UTC') + toIntervalSecond(n) AS created,
    toInt16OrNull(nullIf(toString(n % 7), '0')) AS rating
FROM (SELECT number + 1 AS n FROM numbers({ROWS}))
"""


@contextlib.contextmanager
def _clickhouse(_: Path) -> Iterator[Source]:
    with chdb.clickhouse() as server:
        chdb.ask(server, CLICKHOUSE_TABLE)
        port = chdb.plain_port(server)
        login = {"username": server.username, "password": server.password, "database": server.database}
        yield Source(_login(server, port=port, sslMode="disable"), {"host": server.host, "port": port, **login})


ENGINES = (
    Engine(
        "PostgreSQL",
        "postgres",
        _postgresql,
        "SELECT measured.* FROM generate_series(1, 10) AS again CROSS JOIN measured",
    ),
    Engine("MariaDB", "mariadb", _mariadb, "SELECT measured.* FROM seq_1_to_10 CROSS JOIN measured", arrow=False),
    Engine("DuckDB", "duckdb", _duckdb, "SELECT measured.* FROM range(10) CROSS JOIN measured"),
    # Fewer times: the interface in front of chdb holds a whole result before it answers.
    Engine("ClickHouse", "clickhouse", _clickhouse, " UNION ALL ".join([SQL] * 4), 4),
)
