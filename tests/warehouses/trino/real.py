"""A real Trino: the server and the plugins `tpch` and `memory` of Maven Central, on a JDK of 24 or later.

It speaks HTTP without TLS and without passwords, as Trino does by default; logins and TLS are the stub's part.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import urllib.request
from collections.abc import Generator
from pathlib import Path

import pytest

from moorings.testing.engines import Server
from tests.warehouses.servers.process import folder, free_port, running, unavailable, wait_until

HOME = Path(__file__).parents[3] / ".engines" / "trino"
"""The unpacked server, with its plugins."""
OLDEST_JAVA = 24
OPTIONS = (
    "-Xmx1500M",
    "-XX:+UseG1GC",
    "-XX:TieredStopAtLevel=1",
    "-Djdk.attach.allowAttachSelf=true",
    "--add-modules=jdk.incubator.vector",
)
CONFIGURATION = """\
node.id=one
node.environment=test
coordinator=true
node-scheduler.include-coordinator=true
discovery.uri=http://127.0.0.1:{port}
http-server.http.port={port}
http-server.http.enabled=true
catalog.config-dir={home}/catalog
plugin.dir={server}/plugin
query.max-memory-per-node=200MB
memory.heap-headroom-per-node=200MB
"""


def java() -> Path | None:
    """A Java that Trino runs on, by JAVA_HOME or among those that the system has installed."""
    places = [Path(os.environ.get("JAVA_HOME") or "/nonexistent"), *Path("/usr/lib/jvm").glob("*")]
    places += Path("/Library/Java/JavaVirtualMachines").glob("*/Contents/Home")
    return next((place / "bin" / "java" for place in places if _version(place) >= OLDEST_JAVA), None)


def _version(place: Path) -> int:
    with contextlib.suppress(OSError):
        found = re.search(r'JAVA_VERSION="(\d+)', (place / "release").read_text())
        return int(found[1]) if found else 0
    return 0


@contextlib.contextmanager
def trino() -> Generator[Server]:
    """A server with the catalogs `app` (in memory) and `tpch`."""
    program = java()
    if program is None:
        pytest.skip("Trino is not tested: install a JDK of 24 or later, or set JAVA_HOME to one")
    if not (HOME / "lib").is_dir():
        unavailable("Trino", "install Maven, then MOORINGS_TEST_REQUIRE=all sh scripts/engines.sh")
    with folder("real-trino") as home:
        port, log = free_port(), home / "log"
        (home / "catalog").mkdir()
        for name, connector in (("app", "memory"), ("tpch", "tpch")):
            (home / "catalog" / f"{name}.properties").write_text(f"connector.name={connector}\n")
        config = home / "config.properties"
        config.write_text(CONFIGURATION.format(home=home, port=port, server=HOME))
        classes = ["-cp", f"{HOME}/lib/*", "io.trino.server.TrinoServer"]
        command = [str(program), *OPTIONS, f"-Dconfig={config}", *classes]
        environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
        with running(command, log, signal=signal.SIGKILL, env=environment, cwd=home) as process:
            wait_until(lambda: _is_up(port), process, log, 180)
            yield Server("127.0.0.1", port, "moorings", "", "app", home, process.pid, None, log)


def _is_up(port: int) -> None:
    with contextlib.closing(urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/info", timeout=5)) as answer:
        if b'"starting":false' not in answer.read():
            raise ConnectionError
