"""Measure the list of 25 connections beside that of others: `python -m benchmarks.peers [airflow] [superset]`.

Every server has one worker, SQLite and loopback. They are started in turn, several times; then all run, and are driven
in turn by 8 clients, so that what else the machine does meets them all.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import lists, load, servers
from benchmarks.peers import airflow, peer, superset, table
from benchmarks.peers.peer import Failed, Peer
from benchmarks.peers.table import Found

PEERS = {"airflow": airflow, "superset": superset}
LOCKS = peer.ROOT / "requirements" / "peers"
NUMBER = 25
SETTLED_SECONDS = 2.0


def main() -> None:
    """Parse, install, measure, print."""
    parser = argparse.ArgumentParser(prog="benchmarks.peers", description="Measure Moorings beside its peers.")
    parser.add_argument("peers", nargs="*", help=f"whom: {', '.join(PEERS)}; all unless said")
    parser.add_argument("--rounds", type=int, default=3, help="how often, interleaved")
    parser.add_argument("--seconds", type=float, default=10, help="how long one run is")
    parser.add_argument("--folder", type=Path, help="where they are installed and stay; a temporary one unless said")
    given = parser.parse_args()
    if unknown := set(given.peers) - set(PEERS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leaves every block, and so stops every server
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="moorings-peers-") as made:
        directory = Path(made)
        try:
            ready = _ready(given.peers or list(PEERS), (given.folder or directory / "installed").absolute(), directory)
            found = measure(ready, rounds=given.rounds, seconds=given.seconds)
        except Failed as failed:
            sys.exit(str(failed))
    print(f"\n{table.table(found)}\n")
    print(f"{given.rounds} rounds of {given.seconds:g} s each, in {time.perf_counter() - began:.0f} s.")


def _ready(names: list[str], installed: Path, directory: Path) -> list[Peer]:
    """Moorings, the bare app with Moorings' own answer, and the peers, each with its connections stored."""
    home = directory / "moorings"
    lists.seeded(home, NUMBER)
    moorings = Peer(
        "Moorings",
        lambda: servers.service(home),
        lambda _: servers.TOKEN,
        lists.LIST,
        lambda answer: len(answer["connections"]),
    )
    with moorings.start() as running:
        body = peer.get(running.port, lists.LIST, servers.TOKEN)
    bare = Peer("A bare ASGI app", lambda: servers.bare(body, home), moorings.token, "/", moorings.count)
    return [moorings, bare, *(_peer(name, installed / name, directory / name) for name in names)]


def _peer(name: str, installed: Path, home: Path) -> Peer:
    module, lock = PEERS[name], LOCKS / f"{name}.lock"
    print(f"Preparing {name} ...", file=sys.stderr)
    installed.parent.mkdir(parents=True, exist_ok=True)
    home.mkdir()
    peer.install(lock, installed)
    return module.prepare(installed, home, NUMBER)


def measure(peers: list[Peer], *, rounds: int, seconds: float) -> list[Found]:
    """What was found of each, Moorings first."""
    found = [Found(one.name) for one in peers]
    for _ in range(rounds):
        for one, at in zip(peers, found, strict=True):
            _start(one, at)
    with _all(peers) as requests:
        for _ in range(rounds):
            for (port, request), at in zip(requests, found, strict=True):
                at.loads.append(load.drive(port, [request], seconds=seconds))
    return found


def _start(one: Peer, at: Found) -> None:
    """Seconds until the first answer, and the memory of a server that has answered one list."""
    with one.start() as running:
        at.starts.append(running.seconds)
        at.size = peer.check(one, running.port, NUMBER)
        time.sleep(SETTLED_SECONDS)
        at.memory.append(servers.proportional(running.process.pid))


@contextlib.contextmanager
def _all(peers: list[Peer]) -> Iterator[list[tuple[int, bytes]]]:
    """All of them running: each one's port and request."""
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(one.start()).port for one in peers]
        yield [(port, load.get(one.path, one.token(port))) for one, port in zip(peers, ports, strict=True)]


if __name__ == "__main__":
    main()
