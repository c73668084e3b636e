"""What was answered is kept: kill -9 in the middle of a burst of creates."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import threading
import time
from pathlib import Path

import httpx


class TestKill:
    def test_every_answered_create_is_there_after_the_restart(self, start, tmp_path: Path):
        answered: set[str] = set()
        for _ in range(3):
            with start(tmp_path) as replica:
                listed = replica.request("GET", "/connections").json()["connections"]
                assert answered <= {each["id"] for each in listed}
                answered |= self.burst(replica)
            with contextlib.closing(sqlite3.connect(tmp_path / "data" / "moorings.db")) as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert database.execute("PRAGMA foreign_key_check").fetchall() == []
                without_secret = database.execute(
                    "SELECT count(*) FROM connections WHERE id NOT IN (SELECT connection_id FROM connection_secrets)"
                )
                assert without_secret.fetchone() == (0,), "a connection is stored with its secret or not at all"
        assert len(answered) > 30

    def burst(self, replica) -> set[str]:
        """Create from four clients until the process is killed; returns what was answered with 201."""
        made: set[str] = set()

        def creating() -> None:
            with contextlib.suppress(httpx.TransportError):
                while True:
                    made.add(replica.create(name="burst"))

        threads = [threading.Thread(target=creating) for _ in range(4)]
        for thread in threads:
            thread.start()
        while len(made) < 15:
            time.sleep(0.005)
        time.sleep(random.random() / 10)
        replica.serving.process.send_signal(signal.SIGKILL)
        for thread in threads:
            thread.join(30)
        assert replica.serving.process.wait(5) == -signal.SIGKILL
        return made
