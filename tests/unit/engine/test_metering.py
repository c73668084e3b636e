"""The meter counts the bytes of each call, over connections that are ours or the driver's, and ends the call above."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextvars import copy_context

import pytest

from moorings import errors
from moorings.dialects.network import dialing
from moorings.engine.metering import Meter
from moorings.engine.process.memory import ProcessMemory

MOST = 8 << 20
PIECE = bytes(1 << 20)
ENDLESS = 255
"""Asks for pieces without end: how soon the meter finds a native connection depends on how often its thread waits."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and TCP_INFO")


class Server:
    """Sends as many pieces as each byte that it receives says."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.port: int = listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, wire: socket.socket) -> None:
        with wire, contextlib.suppress(OSError):
            while wanted := wire.recv(1):
                sent = 0
                while wanted[0] == ENDLESS or sent < wanted[0]:
                    wire.sendall(PIECE)
                    sent += 1


@pytest.fixture
def server() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Server(listener)


def ask(wire: socket.socket, pieces: int) -> int:
    """Receive an answer of so many pieces; raises OSError when the connection was shut down."""
    wire.sendall(bytes([pieces]))
    received, deadline = 0, time.monotonic() + 60
    while pieces == ENDLESS or received < pieces * len(PIECE):
        assert time.monotonic() < deadline, "the meter found nothing"
        data = wire.recv(65_536)
        if not data:
            raise ConnectionResetError
        received += len(data)
    return received


def dialled(server: Server) -> socket.socket:
    return dialing.dial(["127.0.0.1"], server.port, 5)


def native(server: Server) -> socket.socket:
    """A connection of which nobody is told, as native drivers open them."""
    return socket.create_connection(("127.0.0.1", server.port), 5)


@pytest.mark.parametrize("connect", [dialled, native])
class TestMeter:
    def test_an_answer_that_is_too_large(self, server: Server, connect) -> None:
        meter = Meter(MOST)
        with meter.metered():
            wire = connect(server)
        with wire, pytest.raises(errors.ResultTooLarge), meter.metered():
            ask(wire, ENDLESS)

    def test_during_the_login(self, server: Server, connect) -> None:
        with pytest.raises(errors.ResultTooLarge), Meter(MOST).metered(), connect(server) as wire:
            ask(wire, ENDLESS)

    def test_each_call_counts_anew(self, server: Server, connect) -> None:
        meter = Meter(MOST)
        with meter.metered():
            wire = connect(server)
        with wire:
            for _ in range(5):
                with meter.metered():
                    assert ask(wire, 6) == 6 * len(PIECE)

    def test_others_are_left_alone(self, server: Server, connect) -> None:
        meter, other = Meter(MOST), Meter(1 << 30)
        with meter.metered():
            wire = connect(server)
        with other.metered():
            theirs = connect(server)
        with wire, theirs, other.metered():
            with pytest.raises(errors.ResultTooLarge), meter.metered():
                ask(wire, ENDLESS)
            assert ask(theirs, 20) == 20 * len(PIECE)

    def test_a_further_connection_to_cancel(self, server: Server, connect) -> None:
        def cancel() -> None:
            with Meter(MOST, logs_in=False).metered(), connect(server) as wire:
                ask(wire, ENDLESS)

        with pytest.raises(errors.ResultTooLarge):
            copy_context().run(cancel)

    def test_the_drivers_own_errors_stay(self, server: Server, connect) -> None:
        meter = Meter(MOST)
        with pytest.raises(ZeroDivisionError), meter.metered(), connect(server) as wire:
            _ = ask(wire, 1) / 0


GROWS = """
import sys
taken = []
print(flush=True)
while sys.stdin.read(1):
    taken.append(bytes(range(256)) * 4096 * {size})
"""


class TestProcessMemory:
    @pytest.mark.parametrize(("megabytes", "fits"), [(1, True), (400, False)])
    def test_growth_is_limited(self, megabytes: int, fits: bool) -> None:
        """The process ends by the kill, and its call as ResultTooLarge."""
        code = GROWS.format(size=megabytes)
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdout.readline()
            memory = ProcessMemory(process.pid, MOST, process.kill)
            memory.logged_in()

            def call() -> None:
                with memory.limited():
                    process.stdin.write(b"x")
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.5 if fits else 30)
                        raise errors.SessionLost

            if fits:
                call()
            else:
                with pytest.raises(errors.ResultTooLarge):
                    call()
            process.stdin.close()

    def test_a_lost_process_is_no_large_result(self) -> None:
        with subprocess.Popen([sys.executable, "-c", ""]) as process:
            process.wait()
            memory = ProcessMemory(process.pid, MOST, process.kill)
        with pytest.raises(errors.SessionLost), memory.limited():
            raise errors.SessionLost
