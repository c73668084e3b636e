"""Servers for tests: on loopback, in temporary folders, stopped by the process that was started."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from moorings.testing.engines import Server

NOBODY = 65534
"""Databases refuse to run as root."""


def unavailable(what: str, remedy: str) -> None:
    """Skip, saying what to install; where every engine is required, fail instead."""
    reason = f"{what} is not installed: {remedy}"
    if os.environ.get("MOORINGS_TEST_REQUIRE") == "all":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def as_nobody() -> dict[str, Any]:
    """What makes a child process run as nobody, where we are root."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


@contextlib.contextmanager
def folder(name: str) -> Iterator[Path]:
    """A temporary folder that a server run as nobody may use."""
    path = Path(tempfile.mkdtemp(prefix=f"moorings-{name}-"))
    try:
        own(path)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def own(path: Path, mode: int = 0o700) -> None:
    """Hand a file or folder to nobody, where we are root."""
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)


@contextlib.contextmanager
def running(command: Sequence[str | Path], log: Path, *, signal: int, **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process for the block; asked to stop by its own signal, and killed when it will not."""
    with log.open("wb") as lines:
        process = subprocess.Popen(command, stdout=lines, stderr=lines, stdin=subprocess.DEVNULL, **how)
    try:
        yield process
    finally:
        process.send_signal(signal)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(ready: Callable[[], object], process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    """Wait until `ready` no longer raises; fails with the server's log when it never does."""
    until = time.monotonic() + seconds
    while True:
        try:
            ready()
        except Exception as error:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(log.read_text(errors="replace")[-4000:]) from error
            time.sleep(0.05)
        else:
            return


def tell(server: Server, **requested: Any) -> Any:
    """Ask a stub of ours what it saw, or tell it to do something, past Moorings."""
    context = ssl.create_default_context(cafile=str(server.certificate))
    wire = http.client.HTTPSConnection(server.host, server.port, timeout=60, context=context)
    try:
        wire.request("POST", "/outside", json.dumps(requested))
        answer = wire.getresponse()
        body = answer.read()
    finally:
        wire.close()
    assert answer.status == 200, body
    return json.loads(body)


class Told:
    """The other side of a stub that answers `tell`. Statements are found by the note that they carry."""

    def __init__(self, server: Server | None, directory: Path) -> None:
        assert server is not None
        self._server = server

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in tell(self._server, statements=statements)["rows"]]

    def running(self, marker: str) -> int:
        return tell(self._server, marker=marker)["running"]

    def tagged(self, query_id: str) -> int:
        return self.running(f"/* moorings {query_id} */")

    def sessions(self) -> int:
        return tell(self._server)["sessions"]

    def statements(self) -> int:
        return tell(self._server)["statements"]

    def kill(self, session_id: str) -> None:
        tell(self._server, kill=session_id)


def certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    crt, key = directory / "server.crt", directory / "server.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", crt, "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, *names], check=True, capture_output=True)
    own(crt, 0o644)
    own(key, 0o600)
    return crt, key


def issued_certificate(directory: Path) -> tuple[Path, Path, Path]:
    """A certificate for localhost, its key, and the authority that issued it: some clients trust no self-signed one."""
    authority, signing, crt, key = (directory / name for name in ("ca.crt", "ca.key", "issued.crt", "issued.key"))
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    subprocess.run(
        [*new, "-subj", "/CN=authority", "-keyout", signing, "-out", authority], check=True, capture_output=True
    )
    names = [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=CA:FALSE",
    ]
    issuer = ["-CA", authority, "-CAkey", signing, "-keyout", key, "-out", crt]
    subprocess.run([*new, *names, *issuer], check=True, capture_output=True)
    return crt, key, authority
