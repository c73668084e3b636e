"""What the measurements start and ask: the service, its baseline, their memory, a PostgreSQL server."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from moorings.testing.engines import Server
from tests.warehouses.postgres.server import login

ROOT = Path(__file__).parent.parent
TOKEN = "organization-key-of-the-benchmark"
API = "/api/v1"
SETTINGS = {
    "RATE_LIMIT": "1000000000/day",
    "BOOTSTRAP_TOKEN": TOKEN,
    "SAMPLE": "false",
    "LOG_LEVEL": "warning",
    "HEALTH_PROBE_SECONDS": "0",
}
"""As shipped, but for a limit too high to be reached, against which every request is counted, and for probes of
thousands of connections that lead nowhere."""


@dataclass(frozen=True, slots=True)
class Running:
    """A started server."""

    process: subprocess.Popen[bytes]
    port: int
    seconds: float
    """How long it took until the first answer."""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the service's API; returns the decoded answer."""
        with self.response(method, API + path, body) as answer:
            received = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {received[:500]!r}")
        return json.loads(received)

    @contextlib.contextmanager
    def response(self, method: str, path: str, body: Any = None) -> Iterator[http.client.HTTPResponse]:
        """An answer that is still to be read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        try:
            yield connection.getresponse()
        finally:
            connection.close()


Starting = contextlib.AbstractContextManager[Running]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def environment(port: int, data: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service; none of the caller's own settings reaches it."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith("MOORINGS_")}
    given = {**SETTINGS, "DATA_DIR": str(data), "PORT": str(port), **settings}
    return outer | {f"MOORINGS_{name}": value for name, value in given.items()}


@contextlib.contextmanager
def service(data: Path, **settings: str) -> Iterator[Running]:
    """The shipped server, by its own command."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "moorings"), "serve"]
    with started(command, port, environment(port, data, settings), data) as running:
        yield running


@contextlib.contextmanager
def bare(body: bytes, directory: Path) -> Iterator[Running]:
    """The baseline that answers these bytes."""
    file, port = directory / "body.json", free_port()
    file.write_bytes(body)
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    with started([sys.executable, "-m", "benchmarks.bare", str(port), str(file)], port, environ, directory) as running:
        yield running


@contextlib.contextmanager
def started(
    command: list[str],
    port: int,
    environ: Mapping[str, str],
    directory: Path,
    *,
    path: str = "/health",
    seconds: float = 60,
) -> Iterator[Running]:
    """A server process that answers on its port within so many seconds; stopped at the end."""
    log = directory / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=directory, env=dict(environ), stdout=output, stderr=output)
    try:
        yield Running(process, port, wait_for_answer(port, process, log, path, seconds))
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and see that it does, with all below it."""
    below = _family(process.pid)[1:] if process.poll() is None else []
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def wait_for_answer(
    port: int, process: subprocess.Popen[bytes], log: Path, path: str = "/health", seconds: float = 60
) -> float:
    """Seconds until the server answers 200, tried every few milliseconds."""
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.suppress(OSError):
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return time.perf_counter() - began
        connection.close()
        if process.poll() is not None:
            raise RuntimeError(f"the server ended: {log.read_text()[-2000:]}")
        time.sleep(0.005)
    raise RuntimeError(f"the server does not answer: {log.read_text()[-2000:]}")


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used since it began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- memory, as Linux tells it ------------------------------------------------------------------------------------


def resident(pid: int) -> int:
    """Resident bytes of a process and all below it."""
    return sum(_status(found, "VmRSS") for found in _family(pid))


def proportional(pid: int) -> int:
    """Bytes that a process and all below it hold, where what several of them share counts once."""
    return sum(_kilobytes(Path(f"/proc/{found}/smaps_rollup"), "Pss") for found in _family(pid))


def forget_peak(pid: int) -> None:
    """Let the process's peak start from what it holds now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> int:
    """The most that the process held since `forget_peak`, in bytes."""
    return _status(pid, "VmHWM")


def _family(pid: int) -> list[int]:
    children = [
        int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()
    ]
    return [pid, *(found for child in children for found in _family(child))]


def _status(pid: int, name: str) -> int:
    return _kilobytes(Path(f"/proc/{pid}/status"), name)


def _kilobytes(file: Path, name: str) -> int:
    for line in file.read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0


# ---- PostgreSQL ---------------------------------------------------------------------------------------------------


def address(server: Server, database: str) -> str:
    """A database's address, for drivers and settings."""
    login = f"{server.username}:{quote(server.password, safe='')}"
    return f"postgresql://{login}@{server.host}:{server.port}/{database}"


def execute(server: Server, database: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    with login(server, database=database) as session:
        for statement in statements:
            session.execute(statement)
