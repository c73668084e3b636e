"""Due schedules become refreshes: each once, whoever looks, and only where the connection is alive."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from moorings import clock
from moorings.connections.models import Connection
from moorings.db import Database
from moorings.schedules.due import run_due
from moorings.schedules.models import Schedule

DAY = 24 * 60 * 60 * 1000
HOURLY = {"schedule": "0 * * * ? *", "timezone": "UTC"}


@contextlib.contextmanager
def commits(database: Database) -> Iterator[Callable[[], bool]]:
    """Whether anything was committed since the block began, in SQLite, which counts every commit."""
    if not database.embedded:
        yield lambda: False
        return
    with contextlib.closing(sqlite3.connect(str(database.engine.url.database))) as looking:
        count = looking.execute("PRAGMA data_version").fetchone()
        yield lambda: looking.execute("PRAGMA data_version").fetchone() != count


@dataclass
class RecordedJobs:
    """Takes the place of the jobs: notes what is asked for, slowly, so that workers meet."""

    seen: list[tuple[str, str, bool, int]] = field(default_factory=list)

    async def __call__(
        self, session: AsyncSession, connection: Connection, *, hard: bool, schedule_id: str, due_at: int
    ) -> None:
        self.seen.append((connection.id, schedule_id, hard, due_at))
        await asyncio.sleep(0.01)

    def of(self, connection: str) -> list[tuple[str, bool, int]]:
        return [each[1:] for each in self.seen if each[0] == connection]


def schedule(service: Any, connection: str, **body: Any) -> str:
    answer = service.request("POST", f"/connections/{connection}/schedules", json=HOURLY | body)
    assert answer.status_code == 201, answer.text
    return answer.json()["scheduleId"]


def stored(service: Any, schedule_id: str) -> Schedule:
    return service.change(lambda session: session.get(Schedule, schedule_id))


def run(service: Any, now: int, *, workers: int = 1) -> RecordedJobs:
    """Let workers, each with connections of its own to the database, look at once."""
    jobs = RecordedJobs()

    @contextlib.asynccontextmanager
    async def worker() -> AsyncIterator[Database]:
        database = Database(service.settings.database)
        yield database
        await database.close()

    async def look() -> int:
        async with worker() as database:
            return await run_due(database, now, jobs)

    async def together() -> list[int]:
        return await asyncio.gather(*(look() for _ in range(workers)))

    assert sum(service.run(together())) == len(jobs.seen)
    return jobs


@pytest.fixture(autouse=True)
def nothing_else_is_due(service: Any) -> None:
    run(service, clock.now() + 400 * DAY)


class TestDue:
    def test_nothing_is_due_before_its_time(self, service: Any):
        connection = service.create()
        one = stored(service, schedule(service, connection))
        assert run(service, one.next_run_at - 1).seen == []
        assert run(service, one.next_run_at).of(connection) == [(one.id, False, one.next_run_at)]

    def test_however_many_runs_were_missed_one_is_asked_for(self, service: Any):
        connection = service.create()
        one = stored(service, schedule(service, connection, hardRefresh=True))
        now = one.next_run_at + 7 * DAY + 5
        assert run(service, now).of(connection) == [(one.id, True, one.next_run_at)]
        assert stored(service, one.id).next_run_at == one.next_run_at + 7 * DAY + DAY // 24
        assert run(service, now).seen == []

    def test_several_workers_ask_for_each_once(self, service: Any):
        connection = service.create()
        expected = {schedule(service, connection) for _ in range(12)}
        now = clock.now() + DAY
        found = run(service, now, workers=4).of(connection)
        found += run(service, now).of(connection)  # what one left to another that had nothing to do with it
        assert len(found) == 12
        assert {schedule_id for schedule_id, _, _ in found} == expected

    def test_an_archived_connection_waits_for_its_restore(self, service: Any):
        connection = service.create()
        one = stored(service, schedule(service, connection))
        assert service.request("DELETE", f"/connections/{connection}").status_code == 200
        assert run(service, one.next_run_at + DAY).seen == []
        assert service.request("POST", f"/connections/{connection}/restore").status_code == 200
        assert run(service, one.next_run_at + DAY).of(connection) == [(one.id, False, one.next_run_at)]

    def test_one_that_nobody_can_read_holds_up_no_other(self, service: Any):
        connection = service.create()
        one, broken = stored(service, schedule(service, connection)), schedule(service, connection)
        unknown = update(Schedule).where(Schedule.id == broken).values(timezone="Nowhere/Here")
        service.change(lambda session: session.execute(unknown))
        now = one.next_run_at
        assert run(service, now).of(connection) == [(one.id, False, now)]
        assert stored(service, broken).next_run_at == now + DAY // 24
        listed = service.request("GET", f"/connections/{connection}/schedules")
        assert listed.status_code == 200, listed.text
        (shown,) = [each for each in listed.json()["schedules"] if each["scheduleId"] == broken]
        assert (shown["description"], shown["nextRuns"]) == (HOURLY["schedule"], [])

    def test_after_its_last_run_it_is_disabled_until_it_is_replaced(self, service: Any):
        connection = service.create()
        one = stored(service, schedule(service, connection, schedule="0 0 1 1 ? 2199"))
        assert run(service, one.next_run_at).of(connection) == [(one.id, False, one.next_run_at)]
        path = f"/connections/{connection}/schedules/{one.id}"
        shown = service.request("GET", path).json()
        assert shown["disabledAt"] == "2199-01-01T00:00:00.000Z"
        assert run(service, one.next_run_at + DAY).of(connection) == []
        assert service.request("PUT", path, json=HOURLY).json()["disabledAt"] is None
        assert run(service, clock.now() + DAY).of(connection)

    def test_replacing_it_by_the_same_leaves_a_due_run_due(self, service: Any):
        connection = service.create()
        one = stored(service, schedule(service, connection))
        long_ago = update(Schedule).where(Schedule.id == one.id).values(next_run_at=one.next_run_at - DAY)
        service.change(lambda session: session.execute(long_ago))
        assert service.request("PUT", f"/connections/{connection}/schedules/{one.id}", json=HOURLY).is_success
        assert run(service, clock.now()).of(connection) == [(one.id, False, one.next_run_at - DAY)]

    def test_a_refresh_that_cannot_be_asked_for_stays_due(self, service: Any):
        one = stored(service, schedule(service, service.create()))

        async def refuse(*_: Any, **__: Any) -> None:
            raise RuntimeError

        async def look() -> int:
            return await run_due(service.database, one.next_run_at, refuse)

        with pytest.raises(RuntimeError):
            service.run(look())
        assert stored(service, one.id).next_run_at == one.next_run_at

    def test_looking_writes_nothing_when_nothing_is_due(self, service: Any):
        schedule(service, service.create())

        async def look() -> bool:
            with commits(service.database) as written:
                assert await run_due(service.database, clock.now(), RecordedJobs()) == 0
                return not written()

        assert service.run(look())


class TestAtOnce:
    def test_who_comes_after_the_removal_finds_nothing(self, service: Any, at_once: Any):
        for _ in range(10):  # they do not always meet
            connection = service.create()
            path = f"/connections/{connection}/schedules/{schedule(service, connection)}"
            changed = HOURLY | {"hardRefresh": True}
            answers = at_once(service, [("DELETE", path, None), ("PUT", path, changed), ("DELETE", path, None)])
            assert max(answer.status_code for answer in answers) == 404
            assert {answer.status_code for answer in answers} <= {200, 404}


class TestPromisesTheDatabaseKeeps:
    @pytest.mark.parametrize("broken", [{"next_run_at": None}, {"disabled_at": 5}, {"hard_refresh": 2}])
    def test_are_kept_whatever_the_code_does(self, service: Any, broken: dict[str, Any]):
        one = schedule(service, service.create())
        changed = update(Schedule).where(Schedule.id == one).values(**broken)
        with pytest.raises(IntegrityError):
            service.change(lambda session: session.execute(changed))


class TestFreshness:
    def test_a_run_leaves_what_is_kept_in_memory(self, service: Any):
        one = stored(service, schedule(service, service.create()))
        before = service.run(service.database.version())
        assert run(service, one.next_run_at).seen
        assert service.run(service.database.version()) == before
