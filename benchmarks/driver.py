"""The baseline of the queries: the driver alone in one process, with the service's own hints.

Run as `python -m benchmarks.driver ADDRESS SQL`; for each line on standard input it reads the result once, and prints
the rows a second. The login is not counted, as the service's is not: its sessions are pooled.
"""

from __future__ import annotations

import sys
import time

import adbc_driver_postgresql.dbapi as driver
from adbc_driver_postgresql import StatementOptions

HINT_BYTES = 2 * 1024 * 1024


def rows_per_second(connection: driver.Connection, sql: str) -> float:
    """Read a result to its end, batch by batch."""
    began, rows = time.perf_counter(), 0
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: HINT_BYTES})
        cursor.execute(sql)
        for batch in cursor.fetch_record_batch():
            rows += batch.num_rows
    return rows / (time.perf_counter() - began)


if __name__ == "__main__":
    with driver.connect(sys.argv[1]) as connected:
        for _ in sys.stdin:
            print(rows_per_second(connected, sys.argv[2]), flush=True)
