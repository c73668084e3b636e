"""The first baseline of the queries: each driver alone in one process, read by its fastest public way that streams.

Run as `python -m benchmarks.drivers DIALECT ADDRESS SQL`, the address being JSON; for each line on standard input it
reads the result once, and prints the rows a second. The login is not counted, as the service's is not: its sessions are
pooled. Hints, such as the size of a batch, are the service's own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import AbstractContextManager, contextmanager
from typing import Any

Read = Callable[[], Iterable[Sized]]
"""Runs the statement and gives its rows, some at a time: as record batches where the driver has Arrow."""

POSTGRES_HINT_BYTES = 2 * 1024 * 1024
BATCH_ROWS = 16_384


@contextmanager
def postgres(address: Mapping[str, Any], sql: str) -> Iterator[Read]:
    """ADBC: Arrow, batch by batch."""
    import adbc_driver_postgresql.dbapi as driver
    from adbc_driver_postgresql import StatementOptions

    with driver.connect(address["uri"]) as connection:

        def read() -> Iterator[Sized]:
            with connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: POSTGRES_HINT_BYTES})
                cursor.execute(sql)
                yield from cursor.fetch_record_batch()

        yield read


@contextmanager
def mariadb(address: Mapping[str, Any], sql: str) -> Iterator[Read]:
    """asyncmy: rows of bytes, which its converters leave alone. They are not made into columns."""
    import asyncmy
    from asyncmy.converters import conversions
    from asyncmy.cursors import SSCursor

    encoders = {kind: encode for kind, encode in conversions.items() if not isinstance(kind, int)}
    with asyncio.Runner() as runner:
        connection = runner.run(asyncmy.connect(**address, conv=encoders, use_unicode=False))

        def read() -> Iterator[Sized]:
            cursor = connection.cursor(SSCursor)
            runner.run(cursor.execute(sql))
            while rows := runner.run(cursor.fetchmany(BATCH_ROWS)):
                yield rows
            runner.run(cursor.close())

        yield read
        runner.run(connection.ensure_closed())


@contextmanager
def duckdb(address: Mapping[str, Any], sql: str) -> Iterator[Read]:
    """DuckDB itself: Arrow, batch by batch."""
    import duckdb as driver

    with driver.connect(address["path"], read_only=True) as connection:
        yield lambda: connection.sql(sql).to_arrow_reader(address.get("batch_rows", BATCH_ROWS))


@contextmanager
def clickhouse(address: Mapping[str, Any], sql: str) -> Iterator[Read]:
    """clickhouse-connect: Arrow, batch by batch."""
    import clickhouse_connect as driver

    client = driver.get_client(**address, compress=False)

    def read() -> Iterator[Sized]:
        with client.query_arrow_stream(sql, settings={"max_block_size": BATCH_ROWS}) as batches:
            yield from batches

    yield read
    client.close()


ALONE: dict[str, Callable[[Mapping[str, Any], str], AbstractContextManager[Read]]] = {
    one.__name__: one for one in (postgres, mariadb, duckdb, clickhouse)
}


def main(dialect: str, address: str, sql: str) -> None:
    """Answer each line with a rate."""
    with ALONE[dialect](json.loads(address), sql) as read:
        for _ in sys.stdin:
            began = time.perf_counter()
            rows = sum(map(len, read()))
            print(rows / (time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
