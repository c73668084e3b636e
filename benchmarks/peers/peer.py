"""What is measured beside Moorings: a server, how it is started, and how its list of connections is asked for."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import servers
from benchmarks.servers import Running

ROOT = servers.ROOT
PASSWORD = "only-for-the-measurement"
START_SECONDS = 180
"""The longest that a server may take until it answers."""


class Failed(Exception):
    """Something that a peer needs could not be done; says what, and what was said about it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that holds 25 connections, ready to be started."""

    name: str
    start: Callable[[], AbstractContextManager[Running]]
    token: Callable[[int], str]
    """Logs in at a port, and returns the key that a request carries."""
    path: str
    """Where the list is."""
    count: Callable[[Any], int]
    """How many connections an answer lists."""


def install(lock: Path, environment: Path) -> None:
    """An environment of its own for what a lock says; one that is there already is kept."""
    script = '. scripts/uv.sh && need_uv && install_environment "$1" "$2"'
    try:
        run(["sh", "-euc", script, "sh", lock, environment], ROOT, os.environ)
    except Failed as failed:
        raise Failed(f"{lock.stem} could not be installed. {failed}") from None


def run(command: Sequence[str | Path], directory: Path, environ: Mapping[str, str]) -> None:
    """Run a command to its end; raises Failed with its last words."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, cwd=directory, env=environ, check=False, **pipes)
    if done.returncode:
        said = done.stdout.decode(errors="replace")[-2000:]
        raise Failed(f"`{' '.join(map(str, command))}` ended with {done.returncode}:\n{said}")


def environ(home: Path, **settings: str) -> dict[str, str]:
    """The environment of a peer: nothing of ours or its own from outside, and its files in its folder."""
    foreign = ("MOORINGS_", "AIRFLOW", "SUPERSET_", "FLASK_", "PYTHONPATH", "VIRTUAL_ENV")
    outer = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    quiet = {"DO_NOT_TRACK": "true", "SCARF_ANALYTICS": "false"}
    return {**outer, **quiet, "HOME": str(home), "TMPDIR": str(home), **settings}


def check(peer: Peer, port: int, number: int) -> int:
    """Raises Failed unless the list has so many connections; returns its size in bytes."""
    received = get(port, peer.path, peer.token(port))
    if (listed := peer.count(json.loads(received))) != number:
        raise Failed(f"{peer.name} lists {listed} connections, not {number}")
    return len(received)


def get(port: int, path: str, token: str) -> bytes:
    """The body of an answer."""
    return _ask(port, "GET", path, None, {"authorization": f"Bearer {token}"})


def post(port: int, path: str, body: Any) -> Any:
    """Post JSON; returns the decoded answer."""
    return json.loads(_ask(port, "POST", path, json.dumps(body), {"content-type": "application/json"}))


def _ask(port: int, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        received = answer.read()
    finally:
        connection.close()
    if answer.status not in (200, 201):
        raise Failed(f"{method} {path}: {answer.status} {received[:500]!r}")
    return received
