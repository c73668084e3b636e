"""The baseline of Flight SQL: a bare Flight server that streams what the driver reads.

Run as `python -m benchmarks.bare_flight PORT DIALECT ADDRESS SQL`, the address being JSON. It shows what gRPC itself
costs on the machine: the same driver and server, but no key, limit, timeout, cancel, conversion or row limit.
"""

from __future__ import annotations

import itertools
import json
import sys
from typing import Any

from pyarrow import flight

from benchmarks.drivers import ALONE, Read


class Server(flight.FlightServerBase):
    """Answers every ticket with the whole result."""

    def __init__(self, location: str, read: Read) -> None:
        super().__init__(location)
        self._read = read

    def do_get(self, context: Any, ticket: Any) -> Any:
        batches: Any = iter(self._read())
        first = next(batches)
        return flight.GeneratorStream(first.schema, itertools.chain([first], batches))


def main(port: str, dialect: str, address: str, sql: str) -> None:
    """Log in and serve until the process is ended."""
    with ALONE[dialect](json.loads(address), sql) as read:
        Server(f"grpc://127.0.0.1:{port}", read).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
