"""Measure the service beside its baselines and print one table: `python -m benchmarks [lists] [query] [start]`.

The exit status says whether everything could be measured; a missed target is marked in the table.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from importlib import metadata
from pathlib import Path

from benchmarks import lists, queries, report, servers, starts
from tests.warehouses.servers.postgresql import postgresql

PARTS = ("lists", "query", "start")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure Moorings beside its baselines.")
    parser.add_argument("parts", nargs="*", help=f"what to measure: {', '.join(PARTS)}; everything unless said")
    parser.add_argument("--rounds", type=int, default=5, help="how often, interleaved with the baselines")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long one run of a list is")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    began = time.perf_counter()
    lines = measure(given.parts or PARTS, given.rounds, given.seconds)
    print(f"\n{report.table(lines)}\n")
    print(f"{given.rounds} rounds in {time.perf_counter() - began:.0f} s. {_versions()}")


def measure(parts: list[str] | tuple[str, ...], rounds: int, seconds: float) -> list[report.Line]:
    """The lines of the wanted parts."""
    lines: list[report.Line] = []
    with tempfile.TemporaryDirectory(prefix="moorings-bench-") as made:
        directory = Path(made)
        if "start" in parts:
            lines += starts.measure(directory, rounds=rounds)
        with postgresql(tls=False) as server:
            servers.execute(server, "postgres", "CREATE DATABASE metadata", "CREATE DATABASE warehouse")
            if "lists" in parts:
                lines = lists.measure(directory, server, rounds=rounds, seconds=seconds) + lines
            if "query" in parts:
                lines += queries.measure(directory, server, rounds=rounds)
    return lines


def _versions() -> str:
    named = ", ".join(f"{name} {metadata.version(name)}" for name in ("granian", "adbc-driver-postgresql", "pyarrow"))
    return f"Python {platform.python_version()}, {named}, PostgreSQL 17."


if __name__ == "__main__":
    main()
