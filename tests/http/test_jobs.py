"""Jobs: asked for once, run once, tried again, and told about."""

from __future__ import annotations

import asyncio
import functools
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import duckdb
import pytest
from sqlalchemy import delete, event, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.access.policy import Role
from moorings.catalog.models import CatalogChange
from moorings.connections.models import Connection
from moorings.errors import LeaseLost
from moorings.jobs import leases
from moorings.jobs.leases import Leased
from moorings.jobs.models import Job
from moorings.jobs.service import enqueue
from moorings.queries import owners
from tests.warehouses.postgres.server import login
from tests.warehouses.servers.process import free_port

UNKNOWN = "0b3f7b52-6a0e-4a86-9d6c-6f2b1c9c1a11"


@pytest.fixture(scope="module")
def idle(serve: Callable[..., Any], storage: Callable[[], dict[str, Any]]) -> Any:
    """A service without a worker: what is asked for waits."""
    return serve(**storage(), worker=False)


@pytest.fixture(scope="module")
def hasty(serve: Callable[..., Any], storage: Callable[[], dict[str, Any]]) -> Any:
    """A service that tries again at once, three times."""
    return serve(**storage(), job_pause_seconds=0.02, job_attempts=3, worker_poll_seconds=0.05)


@pytest.fixture(scope="module")
def patient(serve: Callable[..., Any], storage: Callable[[], dict[str, Any]]) -> Any:
    """A service that tries again after many minutes."""
    return serve(**storage(), job_pause_seconds=1000)


def ask(service: Any, connection_id: str, **body: Any) -> str:
    answer = service.request("POST", f"/connections/{connection_id}/refresh", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()["job_id"]


def status(service: Any, job_id: str) -> Any:
    answer = service.request("GET", f"/jobs/{job_id}/status")
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestAsking:
    def test_answers_with_the_job_in_both_spellings(self, idle: Any):
        connection_id = idle.create()
        answer = idle.request("POST", f"/connections/{connection_id}/refresh")
        job_id = answer.json()["jobId"]
        assert (answer.status_code, answer.json()) == (202, {"success": True, "jobId": job_id, "job_id": job_id})
        job = status(idle, job_id)
        assert job.pop("createdAt") == job.pop("dueAt")
        assert job == {
            "job_id": job_id,
            "job_type": "REFRESH_SCHEMA",
            "status": "IN_PROGRESS",
            "connectionId": connection_id,
            "scheduleId": None,
            "hardRefresh": False,
            "startedAt": None,
            "finishedAt": None,
            "durationMs": None,
            "attempt": 0,
            "nextAttemptAt": None,
            "result": None,
            "error": None,
            "log": [],
        }

    def test_who_asks_again_joins_what_waits_and_hard_wins(self, idle: Any):
        connection_id = idle.create()
        jobs = [ask(idle, connection_id, hardRefresh=hard) for hard in (False, True, False)]
        assert len(set(jobs)) == 1
        assert status(idle, jobs[0])["hardRefresh"] is True

    def test_many_who_ask_at_once_get_one_job(self, idle: Any, at_once: Any):
        for _ in range(10):
            connection_id = idle.create()
            answers = at_once(idle, [("POST", f"/connections/{connection_id}/refresh", {})] * 10)
            assert {answer.status_code for answer in answers} == {202}
            assert len({answer.json()["jobId"] for answer in answers}) == 1

    @pytest.mark.parametrize(
        ("body", "detail"),
        [
            ({"hardRefresh": "yes"}, "hardRefresh: Expected boolean, received string"),
            ({"hardRefresh": None}, "hardRefresh: Expected boolean, received null"),
            ({"hard": True}, "formErrors: Unrecognized key(s) in object: 'hard'"),
        ],
    )
    def test_faults(self, idle: Any, body: Any, detail: str):
        answer = idle.request("POST", f"/connections/{idle.create()}/refresh", json=body)
        assert (answer.status_code, answer.json()["detail"]) == (400, f"Bad Request: {detail}")

    def test_who_may(self, idle: Any):
        connection_id = idle.create(baseRole="NO_ACCESS")
        job_id = ask(idle, connection_id)
        paths = (
            ("POST", f"/connections/{connection_id}/refresh"),
            ("GET", f"/connections/{connection_id}/jobs"),
            ("GET", f"/jobs/{job_id}/status"),
        )
        permitted = {
            Role.CONNECTION_ADMIN: [202, 200, 200],
            Role.MODELER: [403, 200, 200],
            Role.RESTRICTED_QUERIER: [403, 200, 200],
            Role.VIEWER: [403, 403, 404],
            Role.NO_ACCESS: [404, 404, 404],
        }
        for role, statuses in permitted.items():
            key = idle.member(**{connection_id: role})
            assert [idle.request(*path, key=key).status_code for path in paths] == statuses, role

    def test_an_unknown_job(self, idle: Any):
        answer = idle.request("GET", f"/jobs/{UNKNOWN}/status")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Job not found", "status": 404})
        assert idle.request("GET", "/jobs/x/status").json()["detail"] == "Bad Request: id: Invalid uuid"

    def test_history_comes_in_pages_newest_first(self, service: Any, ended: Any):
        connection_id = file(service)
        jobs = []
        for _ in range(3):
            jobs.append(ask(service, connection_id))
            assert ended(service, jobs[-1])["status"] == "COMPLETED"
        first = service.request("GET", f"/connections/{connection_id}/jobs?pageSize=2").json()
        assert first["pageInfo"]["totalRecords"] == 3
        cursor = first["pageInfo"]["nextCursor"]
        second = service.request("GET", f"/connections/{connection_id}/jobs?pageSize=2&cursor={cursor}").json()
        listed = first["records"] + second["records"]
        assert [each["job_id"] for each in listed] == jobs[::-1]
        assert listed[-1] == status(service, jobs[0])


def file(service: Any) -> str:
    name = f"{uuid.uuid4().hex}.duckdb"
    with duckdb.connect(str(service.settings.duckdb_directory / name)) as made:
        made.execute("CREATE TABLE t (x INTEGER)")
    return service.create(dialect="duckdb", name=name, database=name)


class TestRunning:
    def test_a_job_says_how_it_went(self, service: Any, ended: Any):
        job = ended(service, ask(service, file(service)))
        assert (job["status"], job["attempt"], job["error"]) == ("COMPLETED", 1, None)
        assert job["createdAt"] <= job["startedAt"] <= job["finishedAt"]
        assert 0 <= job["durationMs"] < 20_000
        messages = [line["message"] for line in job["log"]]
        assert messages[0] == "Attempt 1 begins: a soft refresh."
        assert messages[-1] == "Stored: 1 tables, 1 columns, 1 added, 0 changed, 0 removed, 0 missing."

    def test_what_may_pass_is_tried_again_and_then_given_up(self, hasty: Any, ended: Any):
        connection_id = hasty.create(host="127.0.0.1", port=free_port(), sslMode="disable")
        job = ended(hasty, ask(hasty, connection_id))
        assert (job["status"], job["attempt"], job["result"]) == ("FAILED", 3, None)
        assert (job["error"]["code"], job["error"]["step"]) == ("port_closed", "connect")
        assert sum("The next attempt follows" in line["message"] for line in job["log"]) == 2

    def test_between_two_attempts_it_tells_the_error_and_when_it_goes_on(self, patient: Any):
        job_id = ask(patient, patient.create(host="127.0.0.1", port=free_port(), sslMode="disable"))
        wait_for(lambda: status(patient, job_id)["error"])
        job = status(patient, job_id)
        assert (job["status"], job["attempt"]) == ("IN_PROGRESS", 1)
        assert job["log"][0]["at"] < job["nextAttemptAt"]

    def test_a_request_between_two_attempts_lets_it_go_on_at_once(self, patient: Any):
        connection_id = patient.create(host="127.0.0.1", port=free_port(), sslMode="disable")
        job_id = ask(patient, connection_id)
        wait_for(lambda: status(patient, job_id)["nextAttemptAt"])
        assert ask(patient, connection_id, hardRefresh=True) == job_id
        wait_for(lambda: status(patient, job_id)["attempt"] == 2)

    def test_a_refused_login_is_not_tried_again_and_tells_no_secret(self, hasty: Any, ended: Any, postgres_server: Any):
        server = postgres_server
        where = {"host": server.host, "port": server.port, "database": server.database, "username": server.username}
        answer = ended(hasty, ask(hasty, hasty.create(**where, passwordUnencrypted="sentinel-of-a-password")))
        assert (answer["status"], answer["attempt"], answer["error"]["code"]) == ("FAILED", 1, "login_refused")
        assert "sentinel" not in str(answer)

    def test_a_connection_without_credentials_is_not_tried_again(self, hasty: Any, ended: Any):
        connection_id = hasty.create()
        hasty.request("DELETE", f"/connections/{connection_id}")
        hasty.request("POST", f"/connections/{connection_id}/restore")
        job = ended(hasty, ask(hasty, connection_id))
        assert (job["attempt"], job["error"]["code"]) == (1, "needs_credentials")

    def test_one_that_was_archived_meanwhile_is_not_refreshed(self, hasty: Any, ended: Any):
        connection_id = file(hasty)

        async def asking(session: AsyncSession) -> str:
            connection = await session.get_one(Connection, connection_id)
            connection.deleted_at = clock.now()
            await session.flush()
            return (await enqueue(session, connection, hard=False)).id

        job = ended(hasty, hasty.change(asking))
        assert (job["attempt"], job["error"]["code"]) == (1, "archived")

    def test_metrics_count_attempts(self, hasty: Any, ended: Any):
        def counted() -> float:
            metrics = hasty.run(hasty.client.get("/metrics")).text
            found = [
                line for line in metrics.splitlines() if line.startswith('moorings_job_attempts_total{outcome="comp')
            ]
            return float(found[0].split()[1]) if found else 0

        before = counted()
        ended(hasty, ask(hasty, file(hasty)))
        wait_for(lambda: counted() > before)


def wait_for(what: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class TestWhileItRuns:
    """A PostgreSQL whose catalog somebody holds: a refresh hangs until they let go."""

    @pytest.fixture
    def table_lock(self, postgres_server: Any) -> Iterator[Any]:
        with login(postgres_server) as connection:
            connection.execute("BEGIN")
            connection.execute("LOCK TABLE pg_catalog.pg_constraint")
            yield connection
            connection.execute("ROLLBACK")

    @pytest.fixture
    def connection_id(self, hasty: Any, postgres_server: Any) -> str:
        server = postgres_server
        where = {"host": server.host, "port": server.port, "database": server.database, "username": server.username}
        return hasty.create(**where, passwordUnencrypted=server.password)

    def test_one_more_waits_and_all_that_follow_join_it(
        self, hasty: Any, ended: Any, table_lock: Any, connection_id: str
    ):
        first = ask(hasty, connection_id)
        wait_for(lambda: status(hasty, first)["startedAt"])
        others = [ask(hasty, connection_id) for _ in range(3)]
        assert len({first, *others}) == 2
        time.sleep(0.2)
        assert status(hasty, others[0])["startedAt"] is None, "one at a time"
        table_lock.execute("COMMIT")
        assert ended(hasty, first)["status"] == "COMPLETED"
        assert ended(hasty, others[0])["status"] == "COMPLETED"

    def test_what_was_read_before_a_change_is_not_stored_after_it(
        self, hasty: Any, ended: Any, table_lock: Any, connection_id: str
    ):
        job_id = ask(hasty, connection_id)
        wait_for(lambda: asks(table_lock))
        changed = hasty.request("PATCH", f"/connections/{connection_id}", json={"includeSchemas": "nothing_there"})
        assert changed.status_code == 200
        table_lock.execute("COMMIT")
        job = ended(hasty, job_id)
        assert (job["status"], job["attempt"], job["result"]["tables"]) == ("COMPLETED", 2, 0)
        assert "The connection was changed while its warehouse was read." in [each["message"] for each in job["log"]]

    @pytest.fixture
    def two_sessions(self, hasty: Any, connection_id: str, at_once: Any) -> None:
        """Idle ones, because PostgreSQL may need its catalog for a login."""
        path = f"/connections/{connection_id}/query"
        for answer in at_once(hasty, [("POST", path, {"sql": "SELECT pg_sleep(0.5)"})] * 2):
            assert answer.status_code == 200, answer.text

    @pytest.mark.usefixtures("two_sessions")
    def test_queries_go_on_beside_it(self, hasty: Any, table_lock: Any, connection_id: str):
        ask(hasty, connection_id)
        wait_for(lambda: asks(table_lock))
        answer = hasty.request("POST", f"/connections/{connection_id}/query", json={"sql": "SELECT 1 AS x"})
        assert answer.status_code == 200, answer.text


def asks(connection: Any) -> bool:
    """Whether somebody waits for the lock on the catalog; other locks on the server are others' business."""
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'pg_constraint'::regclass"
    return connection.execute(query).fetchone()[0] > 0


class TestLeases:
    fail = staticmethod(functools.partial(leases.fail, webhook=False))

    """What workers do with the database, on a service that has none."""

    @pytest.fixture
    def lone(self, idle: Any) -> Any:
        """It, without any job."""
        idle.change(lambda session: session.execute(delete(Job)))
        return idle

    def take(self, service: Any, owner: str = "a", seconds: float = 30, attempts: int = 5) -> Leased | None:
        return service.run(leases.take(service.database, owner, seconds, attempts, webhook=False))

    def write(self, service: Any, act: Callable[..., Coroutine[Any, Any, None]], *given: Any) -> None:
        service.change(lambda session: act(session, *given))

    def test_each_job_is_leased_once_by_many_at_once(self, lone: Any):
        jobs = {ask(lone, lone.create()) for _ in range(12)}

        async def together() -> list[Leased | None]:
            asking = (leases.take(lone.database, f"w{number}", 30, 5, webhook=False) for number in range(20))
            return await asyncio.gather(*asking)

        taken: list[str] = []
        for _ in range(5):
            taken += [leased.id for leased in lone.run(together()) if leased]
        assert sorted(taken) == sorted(jobs)

    def test_nothing_is_written_when_nothing_is_due(self, lone: Any):
        assert self.take(lone) is None
        ask(lone, lone.create())
        leased = self.take(lone)
        assert leased is not None
        written: list[str] = []

        @event.listens_for(lone.database.engine.sync_engine, "before_cursor_execute")
        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            written.append(statement)

        assert self.take(lone) is None
        lone.run(leases.release_dead_leases(lone.database))
        lone.run(lone.database.delete_older(Job.finished_at, 0))
        assert [each for each in written if not each.startswith(("SELECT", "BEGIN"))] == []
        assert "BEGIN IMMEDIATE" not in written

    @pytest.mark.parametrize("by", ["another worker", "the same worker"])
    def test_an_expired_lease_is_taken_over_and_the_first_holder_can_write_nothing(self, lone: Any, by: str):
        job_id = ask(lone, lone.create())
        first = self.take(lone, "the same worker", seconds=0)
        time.sleep(0.01)
        second = self.take(lone, by)
        assert first is not None
        assert second is not None
        assert (second.id, second.attempt, second.owner) == (job_id, 2, by)
        failure = {"code": "c", "message": "m", "step": None}
        for act, given in (
            (leases.complete, [{"tables": 1}]),
            (self.fail, [failure]),
            (leases.retry, [failure, 0]),
            (leases.release, []),
        ):
            with pytest.raises(LeaseLost):
                self.write(lone, act, first, *given)
        with pytest.raises(LeaseLost):
            lone.run(leases.extend(lone.database, first, 30))
        counts = dict.fromkeys(("tables", "columns", "added", "changed", "removed", "missing"), 1)
        self.write(lone, leases.complete, second, counts)
        assert (status(lone, job_id)["status"], status(lone, job_id)["result"]) == ("COMPLETED", counts)
        with pytest.raises(LeaseLost):
            self.write(lone, self.fail, second, failure)

    def test_a_lease_that_is_extended_is_not_taken_over(self, lone: Any):
        ask(lone, lone.create())
        leased = self.take(lone, seconds=0)
        assert leased is not None
        lone.run(leases.extend(lone.database, leased, 30))
        time.sleep(0.01)
        assert self.take(lone, "b") is None

    def test_a_released_one_is_due_at_once_and_the_attempt_does_not_count(self, lone: Any):
        ask(lone, lone.create())
        for _ in range(4):
            leased = self.take(lone)
            assert leased is not None
            assert leased.attempt == 1
            self.write(lone, leases.release, leased)

    def test_a_job_that_loses_its_worker_each_time_fails_in_the_end(self, lone: Any):
        job_id = ask(lone, lone.create())
        for attempt in (1, 2):
            leased = self.take(lone, seconds=0, attempts=2)
            assert leased is not None
            assert leased.attempt == attempt
            time.sleep(0.01)
        assert self.take(lone, attempts=2) is None
        job = status(lone, job_id)
        assert (job["status"], job["error"]["code"]) == ("FAILED", "worker_lost")

    def test_a_waiting_one_is_not_begun_beside_one_that_is(self, lone: Any):
        connection_id = lone.create()
        first = ask(lone, connection_id)
        leased = self.take(lone)
        second = ask(lone, connection_id)
        assert leased is not None
        assert second != first
        assert self.take(lone) is None
        self.write(lone, self.fail, leased, {"code": "c", "message": "m", "step": None})
        following = self.take(lone)
        assert following is not None
        assert following.id == second

    def test_what_a_process_of_this_machine_left_behind_is_due_at_once(self, lone: Any):
        ask(lone, lone.create())
        place = owners.this_process().rpartition("/")[0].rpartition("/")[0]
        assert self.take(lone, f"{place}/4194999/0") is not None
        assert self.take(lone) is None
        lone.run(leases.release_dead_leases(lone.database))
        leased = self.take(lone)
        assert leased is not None
        assert leased.attempt == 2

    def test_missed_times_come_to_one_job(self, lone: Any):
        connection_id = lone.create()

        async def asking(session: AsyncSession) -> set[str]:
            connection = await session.get_one(Connection, connection_id)
            due = clock.now() - 60_000
            return {
                (await enqueue(session, connection, hard=False, schedule_id="s", due_at=due + number)).id
                for number in range(5)
            }

        (job_id,) = lone.change(asking)
        assert status(lone, job_id)["scheduleId"] == "s"
        leased = self.take(lone)
        assert leased is not None
        assert leased.id == job_id

    def test_the_database_keeps_two_from_being_begun(self, lone: Any):
        connection_id = lone.create()
        ask(lone, connection_id)
        self.take(lone)
        ask(lone, connection_id)
        with pytest.raises(IntegrityError):
            lone.change(lambda session: session.execute(update(Job).values(status="running")))

    def test_old_ones_are_forgotten_and_young_and_unfinished_ones_stay(self, lone: Any):
        old, young, unfinished = (lone.create() for _ in range(3))
        for connection_id in (old, young):
            ask(lone, connection_id)
            leased = self.take(lone)
            assert leased is not None
            self.write(lone, self.fail, leased, {"code": "c", "message": "m", "step": None})
        ask(lone, unfinished)

        async def aging(session: AsyncSession) -> None:
            await session.execute(update(Job).where(Job.connection_id == old).values(finished_at=5))

        lone.change(aging)
        lone.run(lone.database.delete_older(Job.finished_at, 6))

        async def left(session: AsyncSession) -> set[str]:
            return set(await session.scalars(select(Job.connection_id)))

        assert lone.change(left) == {young, unfinished}


class TestDuties:
    def test_a_worker_forgets_what_is_old_as_soon_as_it_starts(
        self, serve: Callable[..., Any], storage: Callable[[], dict[str, Any]]
    ):
        given = storage()
        first = serve(**given, worker=False)
        jobs = [ask(first, first.create()) for _ in range(2)]
        days = 24 * 60 * 60 * 1000

        async def aging(session: AsyncSession) -> None:
            for job_id, age in zip(jobs, (31, 29), strict=True):
                finished = {"status": "failed", "finished_at": clock.now() - age * days}
                await session.execute(update(Job).where(Job.id == job_id).values(finished))
                owned = select(Job.organization_id, Job.connection_id).where(Job.id == job_id)
                organization_id, connection_id = (await session.execute(owned)).one()
                session.add(
                    CatalogChange(
                        id=job_id,
                        organization_id=organization_id,
                        connection_id=connection_id,
                        job_id=job_id,
                        found_at=clock.now() - 3 * age * days,
                        position=0,
                        kind="TABLE_ADDED",
                        catalog="",
                        schema="",
                        name="t",
                    )
                )

        async def left(session: AsyncSession) -> list[list[str]]:
            return [list(await session.scalars(select(model.id))) for model in (Job, CatalogChange)]

        first.change(aging)
        assert [len(ids) for ids in first.change(left)] == [2, 2]
        serve(**given, data_dir=first.settings.data_dir)
        wait_for(lambda: first.change(left) == [[jobs[1]], [jobs[1]]])
