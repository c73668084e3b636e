"""Measure the service beside its baselines and print one table: `python -m benchmarks [PART …]`.

The exit status says whether everything could be measured; a missed target is marked in the table.
"""

from __future__ import annotations

import argparse
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pytest

from benchmarks import catalogs, flights, growth, lists, probes, processes, queries, reads, report, small, starts
from benchmarks.engines import ENGINES, Engine

TIMED = {
    "lists": lists.measure,
    "small": small.measure,
    "reads": reads.measure,
    "growth": growth.measure,
    "processes": processes.measure,
}
"""Parts that load a server for so many seconds, round by round."""
REPEATED = {"start": starts.measure, "catalog": catalogs.measure, "probes": probes.measure}
"""Parts that do one thing again and again."""
QUERIES = {"query": queries.measure, "flight": flights.measure}
"""Parts that run on each engine."""
PARTS = (*TIMED, *REPEATED, *QUERIES)
MEASURED = ("granian", "pyarrow", "adbc-driver-postgresql", "asyncmy", "duckdb", "clickhouse-connect")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure Moorings beside its baselines.")
    parser.add_argument("parts", nargs="*", help=f"what to measure: {', '.join(PARTS)}; everything unless said")
    parser.add_argument("--engine", action="append", choices=[engine.dialect for engine in ENGINES], help="for query")
    parser.add_argument("--rounds", type=int, default=5, help="how often, interleaved with the baselines")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long one run of a list is")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves every block, and so stops every server
    began = time.perf_counter()
    engines = [engine for engine in ENGINES if engine.dialect in (given.engine or (engine.dialect,))]
    lines, missing = measure(given.parts or PARTS, engines, given.rounds, given.seconds)
    print(f"\n{report.table(lines)}\n")
    print(f"{given.rounds} rounds in {time.perf_counter() - began:.0f} s. {_versions()}")
    if missing:
        sys.exit("\n".join(missing))


def measure(
    parts: Sequence[str], engines: Sequence[Engine], rounds: int, seconds: float
) -> tuple[list[report.Line], list[str]]:
    """The lines of the wanted parts, and what could not be measured for want of its server."""
    lines: list[report.Line] = []
    missing: list[str] = []
    with tempfile.TemporaryDirectory(prefix="moorings-bench-") as made:
        directory = Path(made)
        for part, measured in TIMED.items():
            if part in parts:
                lines += measured(directory, rounds=rounds, seconds=seconds)
        for part, repeated in REPEATED.items():
            if part in parts:
                lines += repeated(directory, rounds=rounds)
        for engine, part in [(engine, part) for engine in engines for part in QUERIES if part in parts]:
            try:
                lines += QUERIES[part](directory, engine, rounds=rounds)
            except (pytest.skip.Exception, pytest.fail.Exception) as absent:  # as the tests' servers say it
                missing.append(f"{engine.title} was not measured: {absent}")
    return lines, missing


def _versions() -> str:
    named = ", ".join(f"{name} {metadata.version(name)}" for name in MEASURED)
    return f"Python {platform.python_version()}, {named}."


if __name__ == "__main__":
    main()
