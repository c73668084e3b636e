"""The baselines of the queries: each driver alone in one process, read by its fastest public way that streams.

Run as `python -m benchmarks.drivers DIALECT ADDRESS SQL`, the address being JSON; for each line on standard input it
reads the result once, and prints the rows a second. The login is not counted, as the service's is not: its sessions are
pooled. Hints, such as the size of a batch, are the service's own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

Read = Callable[[], int]
"""Runs the statement, reads its result to the end, and returns the number of rows."""

POSTGRES_HINT_BYTES = 2 * 1024 * 1024
BATCH_ROWS = 16_384


@contextmanager
def postgres(address: Mapping[str, Any], sql: str) -> Iterator[Read]:
    """ADBC: Arrow, batch by batch."""
    import adbc_driver_postgresql.dbapi as driver
    from adbc_driver_postgresql import StatementOptions

    with driver.connect(address["uri"]) as connection:

        def read() -> int:
            with connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: POSTGRES_HINT_BYTES})
                cursor.execute(sql)
                return sum(batch.num_rows for batch in cursor.fetch_record_batch())

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

        async def count() -> int:
            found = 0
            async with connection.cursor(SSCursor) as cursor:
                await cursor.execute(sql)
                while rows := await cursor.fetchmany(BATCH_ROWS):
                    found += len(rows)
            return found

        yield lambda: runner.run(count())
        runner.run(connection.ensure_closed())


@contextmanager
def duckdb(address: Mapping[str, Any], sql: str) -> Iterator[Read]:
    """DuckDB itself: Arrow, batch by batch."""
    import duckdb as driver

    with driver.connect(address["path"], read_only=True) as connection:
        yield lambda: sum(batch.num_rows for batch in connection.sql(sql).to_arrow_reader(BATCH_ROWS))


@contextmanager
def clickhouse(address: Mapping[str, Any], sql: str) -> Iterator[Read]:
    """clickhouse-connect: Arrow, batch by batch."""
    import clickhouse_connect as driver

    client = driver.get_client(**address, compress=False)

    def read() -> int:
        with client.query_arrow_stream(sql, settings={"max_block_size": BATCH_ROWS}) as batches:
            return sum(batch.num_rows for batch in batches)

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
            rows = read()
            print(rows / (time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
