"""Workers as processes of their own: killed, stopped, and several at once on one database."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes.conftest import Replica
from tests.terminal import Terminal, Working
from tests.warehouses.postgres.server import login

POLL = {"WORKER_POLL_SECONDS": 0.1, "HEALTH_PROBE_SECONDS": 0}


def wait_for(what: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


class Fleet:
    """A service that runs no jobs, two workers on its database, and that database seen from the other side."""

    def __init__(self, door: Replica, workers: list[Working], database: Any, server: Any) -> None:
        self.door = door
        self.workers = workers
        self.database = database
        self.server = server

    def refresh(self, connection_id: str) -> str:
        answer = self.door.request("POST", f"/connections/{connection_id}/refresh")
        assert answer.status_code == 202, answer.text
        return answer.json()["job_id"]

    def warehouse(self) -> str:
        return self.door.create(**login_of(self.server))

    def lease_expires(self, job_id: str) -> int:
        """When the lease of a job expires, if nobody extends it."""
        found = self.database.execute("SELECT lease_expires_at FROM jobs WHERE id = %s", [job_id]).fetchone()
        return found[0]

    def holder(self, job_id: str, attempt: int = 1) -> Working | None:
        """The worker that holds the lease of a job, once it is at this attempt."""
        found = self.database.execute("SELECT lease_owner, attempt FROM jobs WHERE id = %s", [job_id]).fetchone()
        if found is None or found[0] is None or found[1] != attempt:
            return None
        pid = int(found[0].split("/")[1])
        return next(worker for worker in self.workers if worker.process.pid == pid)


def login_of(server: Any) -> dict[str, Any]:
    login = {"username": server.username, "passwordUnencrypted": server.password}
    return {"host": server.host, "port": server.port, "database": server.database} | login


def ended(door: Replica, job_id: str) -> Any:
    def looking() -> Any:
        job = door.request("GET", f"/jobs/{job_id}/status").json()
        return job if job["status"] != "IN_PROGRESS" else None

    return wait_for(looking)


@pytest.fixture
def fleet(
    start: Any, new_database: Callable[[], str], postgres_server: Any, tmp_path: Path
) -> Iterator[Callable[..., Fleet]]:
    with contextlib.ExitStack() as stack:

        def starting(**settings: Any) -> Fleet:
            url = new_database()
            shared = {"DATABASE_URL": url, "KEYSET": str(tmp_path / "keyset.json"), **POLL, **settings}
            door = stack.enter_context(start(**shared, WORKER="false"))
            workers: list[Working] = []
            for name in "ab":
                (tmp_path / name).mkdir()
                workers.append(stack.enter_context(Terminal(tmp_path / name).working(**shared)))
            database = stack.enter_context(login(postgres_server, database=url.rpartition("/")[2]))
            return Fleet(door, workers, database, postgres_server)

        yield starting


@pytest.fixture
def table_lock(postgres_server: Any) -> Iterator[Any]:
    """The warehouse with its catalog held: a refresh hangs until `COMMIT`."""
    with login(postgres_server) as connection:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE pg_catalog.pg_constraint")
        yield connection
        connection.execute("ROLLBACK")


def waiting(connection: Any) -> int:
    """How many wait for the lock on the catalog; other locks on the server are others' business."""
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'pg_constraint'::regclass"
    return connection.execute(query).fetchone()[0]


class TestKilled:
    def test_another_worker_takes_the_job_over_when_the_lease_has_expired(self, fleet: Any, table_lock: Any):
        running = fleet(JOB_LEASE_SECONDS=4)  # a machine that is busy may stand still for a second
        job_id = running.refresh(running.warehouse())
        wait_for(lambda: waiting(table_lock))
        first = running.holder(job_id)
        for _ in range(2):
            expires = running.lease_expires(job_id)
            wait_for(lambda before=expires: running.lease_expires(job_id) > before)
        assert running.holder(job_id) is first, "a worker that is alive extends its lease"
        first.process.send_signal(signal.SIGKILL)
        second = wait_for(lambda: running.holder(job_id, attempt=2))
        assert second is not first
        table_lock.execute("COMMIT")
        job = ended(running.door, job_id)
        assert (job["status"], job["attempt"]) == ("COMPLETED", 2), job
        begun = [line["message"] for line in job["log"] if "begins" in line["message"]]
        assert begun == ["Attempt 1 begins: a soft refresh.", "Attempt 2 begins: a soft refresh."]
        assert running.database.execute("SELECT job_id FROM catalogs").fetchall() == [(job_id,)]

    def test_a_service_that_starts_again_goes_on_at_once(
        self, start: Any, table_lock: Any, tmp_path: Path, postgres_server
    ):
        settings = {"JOB_LEASE_SECONDS": 300, **POLL}
        with start(tmp_path, **settings) as door:
            connection_id = door.create(**login_of(postgres_server))
            job_id = door.request("POST", f"/connections/{connection_id}/refresh").json()["job_id"]
            wait_for(lambda: waiting(table_lock))
            door.serving.process.send_signal(signal.SIGKILL)
            door.serving.process.wait(5)
        with start(tmp_path, **settings) as door:
            wait_for(lambda: door.request("GET", f"/jobs/{job_id}/status").json()["attempt"] == 2)
            table_lock.execute("COMMIT")
            assert ended(door, job_id)["status"] == "COMPLETED"


class TestStopped:
    def test_gives_its_job_up_for_another_worker_to_take_over_at_once(self, fleet: Any, table_lock: Any):
        running = fleet(JOB_LEASE_SECONDS=300)
        job_id = running.refresh(running.warehouse())
        wait_for(lambda: waiting(table_lock))
        first = running.holder(job_id)
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(5) == 0, first.output
        second = wait_for(lambda: running.holder(job_id))
        assert second is not first
        wait_for(lambda: waiting(table_lock) == 1, 10)
        table_lock.execute("COMMIT")
        job = ended(running.door, job_id)
        assert (job["status"], job["attempt"]) == ("COMPLETED", 1)
        assert "The worker was stopped, and releases the job." in [line["message"] for line in job["log"]]

    def test_without_a_job_it_ends_at_once(self, fleet: Any):
        for worker in fleet().workers:
            worker.process.send_signal(signal.SIGTERM)
            assert worker.process.wait(5) == 0
            assert "error" not in worker.output


class TestSeveral:
    def test_each_of_50_jobs_is_run_once(self, fleet: Any):
        running = fleet(WORKER_JOBS=3)
        memory = {"dialect": "duckdb", "name": "m", "database": ":memory:", "readOnly": False}
        connections = [running.door.request("POST", "/connections", json=memory).json()["data"] for _ in range(50)]
        jobs = [running.refresh(connection_id) for connection_id in connections]
        for job_id in jobs:
            job = ended(running.door, job_id)
            assert (job["status"], job["attempt"]) == ("COMPLETED", 1)
        ran = [re.findall(r"job=([0-9a-f-]{36}) outcome=completed", worker.output) for worker in running.workers]
        assert sorted(ran[0] + ran[1]) == sorted(jobs)
        assert all(ran), "both have a part"


def test_beside_a_service_on_its_embedded_database(start: Any, tmp_path: Path):
    with start(tmp_path, WORKER="false") as door, Terminal(tmp_path).working(**POLL):
        memory = {"dialect": "duckdb", "name": "m", "database": ":memory:", "readOnly": False}
        connection_id = door.request("POST", "/connections", json=memory).json()["data"]
        job_id = door.request("POST", f"/connections/{connection_id}/refresh").json()["job_id"]
        assert ended(door, job_id)["status"] == "COMPLETED"
