"""A process that waits for a silent server in a driver, while a thread of it counts time in a file.

The file holds two numbers: when the thread last ran, and the longest pause before that, in nanoseconds. A driver that
holds the interpreter's lock while it waits stops the thread, and with it every other thread of a process.
"""

from __future__ import annotations

import contextlib
import importlib
import mmap
import pickle
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

from moorings import dialects
from moorings.dialects.base import SessionContext, Statement

BEAT_SECONDS = 0.005
TIMES = struct.Struct("=qq")


def main() -> None:
    name, stage, sql, config = pickle.loads(sys.stdin.buffer.read())
    with Path(sys.argv[1]).open("r+b") as file:
        shared = mmap.mmap(file.fileno(), TIMES.size)
    dialect = dialects.named(name)
    context = SessionContext(connect_timeout_seconds=30, default_ssl_mode="prefer", duckdb_directory="/tmp")
    if stage == "login":
        load(name)
        begin(shared)
        dialect.connect(config, context)
        return
    session: Any = dialect.connect(config, context)
    if stage == "drop":  # what collecting an exception's traceback does, say
        cursor = session._connection.cursor()
        cursor.prepare("SELECT CAST(? AS NVARCHAR) AS a")
        begin(shared)
        del cursor
        return
    begin(shared)
    session.query(Statement(sql, timeout_seconds=60)).read_all()


def load(name: str) -> None:
    """Import the driver: that takes the lock for a while, whatever the driver does afterwards."""
    for module in (f"moorings.dialects.{name}.session", "pyarrow"):
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


def begin(shared: Any) -> None:
    """Count, and let the test know that the driver is about to wait: it makes the server fall silent then."""

    def beat() -> None:
        longest, last = 0, time.monotonic_ns()
        while True:
            time.sleep(BEAT_SECONDS)
            now = time.monotonic_ns()
            longest, last = max(longest, now - last), now
            TIMES.pack_into(shared, 0, last, longest)

    TIMES.pack_into(shared, 0, time.monotonic_ns(), 0)
    threading.Thread(target=beat, daemon=True).start()
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    time.sleep(0.3)  # in which the server falls silent


if __name__ == "__main__":
    main()
