"""What more processes on one machine serve: one beside two, which count their rate limits in Valkey."""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import quote

from benchmarks import load, report, servers, small
from benchmarks.servers import Running
from tests.warehouses.servers.valkey import valkey

CLIENTS = 16


def measure(directory: Path, *, rounds: int, seconds: float) -> list[report.Line]:
    """Small queries and reads of one connection a second, with two processes beside one."""
    with contextlib.ExitStack() as stack:
        counters = stack.enter_context(valkey())
        url = f"valkey://:{quote(counters.password, safe='')}@{counters.host}:{counters.port}"
        found: dict[tuple[str, int], list[float]] = {}
        services: dict[int, Running] = {}
        asked: dict[int, dict[str, list[bytes]]] = {}
        for number in (1, 2):
            data = directory / f"processes-{number}"
            path = small.file(data)
            settings = {"POOL_SIZE": str(CLIENTS), "WORKERS": str(number), "RATE_LIMIT_URL": url}
            services[number] = stack.enter_context(servers.service(data, **settings))
            connection = small.created(services[number], dialect="duckdb", database=path.name)
            asked[number] = {
                "`SELECT 1` on DuckDB": [small.query(services[number], connection, small.ONE)],
                "GET /connections/{id}": [load.get(f"{servers.API}/connections/{connection}", servers.TOKEN)],
            }
        for _ in range(rounds):
            for number, running in services.items():
                for what, requests in asked[number].items():
                    rate = load.drive(running.port, requests, clients=CLIENTS, seconds=seconds).rate
                    found.setdefault((what, number), []).append(rate)
    label = f"{CLIENTS} clients, limits in Valkey: two processes beside one"
    return [
        report.ratio(f"{what}, {label}", found[what, 2], rates, "requests/s")
        for (what, number), rates in found.items()
        if number == 1
    ]
