"""Growth: rates of small queries and of lists with 10 to 10,000 connections and 1 to 64 clients, as a plot."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import lists, load, report, seed, servers, small

STORED = (10, 100, 1000, 10_000)
CLIENTS = (1, 8, 64)
PLOT = servers.ROOT / "docs" / "project" / "growth.svg"

Rates = dict[tuple[str, int, int], list[float]]
"""What is asked, connections, clients → requests a second, round by round."""


def measure(directory: Path, *, rounds: int, seconds: float, plot: Path | None = PLOT) -> list[report.Line]:
    """The rate with the most connections beside that with the fewest, by clients; writes the plot."""
    found: Rates = {}
    for stored in STORED:
        data = directory / f"growth-{stored}"
        lists.seeded(data, stored)
        path = small.file(data)
        with servers.service(data, POOL_SIZE=str(small.SESSIONS)) as running:
            connection = small.created(running, dialect="duckdb", database=path.name)
            asked = {
                "SELECT 1": [small.query(running, connection, small.ONE)],
                "list of 25": [load.get(f"{lists.LIST}?name={seed.group(0)}", servers.TOKEN)],
            }
            for _ in range(rounds):
                for what, requests in asked.items():
                    for clients in CLIENTS:
                        rate = load.drive(running.port, requests, clients=clients, seconds=seconds).rate
                        found.setdefault((what, stored, clients), []).append(rate)
    if plot is not None:
        plot.write_text(svg(found))
    return [_line(found, what, clients) for what in ("SELECT 1", "list of 25") for clients in CLIENTS]


def _line(found: Rates, what: str, clients: int) -> report.Line:
    label = f"{what}, {clients} client{'s' * (clients > 1)}: {STORED[-1]:,} connections stored beside {STORED[0]}"
    return report.ratio(label, found[what, STORED[-1], clients], found[what, STORED[0], clients], "requests/s")


# ---- the plot -------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, MARGIN = 360, 260, 50
COLOURS = dict(zip(CLIENTS, ("#1b6ca8", "#d1495b", "#2e933c"), strict=True))


def svg(found: Mapping[tuple[str, int, int], Sequence[float]]) -> str:
    """Two panels beside each other; both axes are logarithmic."""
    panels = [_panel(found, what, place * (WIDTH + MARGIN)) for place, what in enumerate(("SELECT 1", "list of 25"))]
    size = f'width="{2 * (WIDTH + MARGIN) + MARGIN}" height="{HEIGHT + 2 * MARGIN}"'
    style = "<style>text{font:12px sans-serif;fill:#555}</style>"
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{style}{"".join(panels)}</svg>\n'


def _panel(found: Mapping[tuple[str, int, int], Sequence[float]], what: str, left: int) -> str:
    medians = {key: statistics.median(rates) for key, rates in found.items() if key[0] == what}
    top = 10 ** math.ceil(math.log10(max(medians.values())))
    bottom = 10 ** math.floor(math.log10(min(medians.values())))

    def at(stored: int, rate: float) -> str:
        across = math.log10(stored / STORED[0]) / math.log10(STORED[-1] / STORED[0])
        up = math.log10(rate / bottom) / math.log10(top / bottom)
        return f"{left + MARGIN + across * (WIDTH - 70):.0f},{MARGIN + HEIGHT * (1 - up):.0f}"

    parts = [f'<text x="{left + MARGIN}" y="20">{what}: requests a second, by connections stored</text>']
    for rate in (10**power for power in range(round(math.log10(bottom)), round(math.log10(top)) + 1)):
        x, y = at(STORED[0], rate).split(",")
        parts.append(f'<path d="M{x},{y}h{WIDTH - 70}" stroke="#ddd"/><text x="{left}" y="{y}">{rate:,}</text>')
    for stored in STORED:
        x = at(stored, bottom).split(",")[0]
        parts.append(f'<text x="{x}" y="{HEIGHT + MARGIN + 20}" text-anchor="middle">{stored:,}</text>')
    for clients, colour in COLOURS.items():
        places = [at(stored, medians[what, stored, clients]) for stored in STORED]
        x, y = places[-1].split(",")
        parts.append(f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{int(x) + 6}" y="{y}">{clients} client{"s" * (clients > 1)}</text>')
    return "".join(parts)
