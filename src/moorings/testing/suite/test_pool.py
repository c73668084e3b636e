"""Pools: bounded, shared fairly, without leaks; and statements that end when their caller has left."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest

from moorings import errors
from moorings.dialects.base import Statement
from moorings.engine.service import Target
from moorings.testing.engines import Warehouse
from moorings.testing.room import Room, appears, disappears, ends, until

pytestmark = pytest.mark.needs("sql", "streams")

Inside = Callable[..., Any]


async def hold(room: Room, marker: str, target: Target | None = None, seconds: float = 30) -> None:
    """Run the slow statement to its end, which nobody waits for."""
    async with room.engine.lease(target or room.target()) as lease:
        await lease.open(Statement(room.warehouse.sql.slow.format(marker=marker), timeout_seconds=seconds))
        await lease.pull(lambda batch: batch)


@pytest.mark.needs("cancel")
class TestCancel:
    def test_it_reaches_the_server_and_the_query_says_so(self, inside: Inside, warehouse: Warehouse) -> None:
        async def work(room: Room) -> float:
            async with room.engine.lease(room.target()) as lease:
                opening = asyncio.ensure_future(_whole(lease, Statement(warehouse.sql.slow.format(marker="cancel_me"))))
                await _under_way(warehouse, "cancel_me")
                began = time.perf_counter()
                await lease.cancel()
                with pytest.raises(errors.QueryCancelled):
                    await opening
                taken = time.perf_counter() - began
            if not warehouse.lacks("process list"):
                await disappears(warehouse, "cancel_me")
            await room.settled()
            assert await room.rows("SELECT 1 AS one") == [(1,)]
            return taken

        assert inside(work) < 2

    def test_between_batches_the_next_one_says_so(self, inside: Inside, warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            async with room.engine.lease(room.target()) as lease:
                await lease.open(Statement(warehouse.sql.many.format(rows=1_000_000)))
                await lease.pull(lambda batch: batch)
                await lease.cancel()
                with pytest.raises(errors.QueryCancelled):
                    await lease.pull(lambda batch: batch)

        inside(work)

    def test_before_it_was_opened_nothing_runs(self, inside: Inside, warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            async with room.engine.lease(room.target()) as lease:
                await lease.cancel()
                with pytest.raises(errors.QueryCancelled):
                    await lease.open(Statement(warehouse.sql.slow.format(marker="never")))

        inside(work)

    @pytest.mark.needs("process list")
    def test_a_client_that_left_stops_it_in_the_server(self, inside: Inside, warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            task = asyncio.ensure_future(hold(room, "left_alone"))
            await appears(warehouse, "left_alone")
            assert await ends(task) is None
            await disappears(warehouse, "left_alone")
            await room.settled()

        inside(work)

    def test_a_thousand_cancelled_queries_leave_nothing(self, inside: Inside, warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            for number in range(1000):
                task = asyncio.ensure_future(hold(room, "thousand"))
                await asyncio.sleep((number % 10) / 1000)  # while it connects, opens and runs
                assert await ends(task) is None
            await room.settled()
            assert sum(count.idle for count in room.engine.sessions().values()) <= 4
            if not warehouse.lacks("process list"):
                await disappears(warehouse, "thousand")
                async with asyncio.timeout(10):
                    while await asyncio.to_thread(warehouse.sessions) > 4:  # noqa: ASYNC110  # backends end in their time
                        await asyncio.sleep(0.05)
            assert await room.rows("SELECT 1 AS one") == [(1,)]

        inside(work, pool_size=4)

    def test_closing_cancels_what_runs(self, inside: Inside, warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            tasks = [asyncio.ensure_future(hold(room, "closing")) for _ in range(3)]
            await _under_way(warehouse, "closing", 3)
            began = time.perf_counter()
            await room.engine.close()
            assert time.perf_counter() - began < 4
            assert {type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)} == {
                errors.QueryCancelled
            }
            with pytest.raises(errors.Saturated):
                await room.rows("SELECT 1")

        inside(work)


async def _whole(lease: Any, statement: Statement) -> None:
    await lease.open(statement)
    await lease.pull(lambda batch: batch)


async def _under_way(warehouse: Warehouse, marker: str, statements: int = 1) -> None:
    if not warehouse.lacks("process list"):
        await until(lambda: warehouse.running(marker) >= statements)
    else:
        await asyncio.sleep(0.5)


@pytest.mark.needs("cancel")
class TestTimeout:
    def test_it_ends_the_statement(self, inside: Inside, warehouse: Warehouse) -> None:
        async def work(room: Room) -> float:
            await room.rows("SELECT 1")
            began = time.perf_counter()
            with pytest.raises(errors.QueryTimeout):
                await hold(room, "too_slow", seconds=0.4)
            taken = time.perf_counter() - began
            if not warehouse.lacks("process list"):
                await disappears(warehouse, "too_slow")
            return taken

        assert 0.35 < inside(work) < 2

    @pytest.mark.needs("promptness")
    def test_it_covers_the_whole_result(self, inside: Inside, warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            async with room.engine.lease(room.target()) as lease:
                await lease.open(Statement(warehouse.sql.many.format(rows=200_000), timeout_seconds=2))
                await lease.pull(lambda batch: batch)
                await asyncio.sleep(2.2)
                with pytest.raises(errors.QueryTimeout):
                    await lease.pull(lambda batch: batch)

        inside(work)

    @pytest.mark.needs("server timeout")
    def test_the_server_keeps_it_too(self, inside: Inside, warehouse: Warehouse) -> None:
        found = inside(lambda room: room.rows(warehouse.sql.timeout, timeout_seconds=8))
        assert float(found[0][0]) == 8


class TestSaturation:
    def test_it_waits_as_long_as_it_should_and_no_longer(self, inside: Inside) -> None:
        async def work(room: Room) -> float:
            async with room.engine.lease(room.target()), room.engine.lease(room.target()):
                began = time.perf_counter()
                with pytest.raises(errors.Saturated) as refused:
                    await room.rows("SELECT 1")
                assert refused.value.retry_after_seconds == 1
                assert "MOORINGS_POOL_SIZE" in refused.value.message
                return time.perf_counter() - began

        assert 0.25 < inside(work, pool_size=2, pool_wait_seconds=0.3) < 1

    def test_other_connections_are_not_held_back(self, inside: Inside) -> None:
        async def work(room: Room) -> None:
            async with room.engine.lease(room.target()):
                waiting = asyncio.ensure_future(room.rows("SELECT 1 AS one"))
                assert await room.rows("SELECT 1 AS one", target=room.target("another")) == [(1,)]
                assert not waiting.done()
            assert await waiting == [(1,)]

        inside(work, pool_size=1)

    def test_who_waits_first_is_served_first(self, inside: Inside) -> None:
        async def work(room: Room) -> list[int]:
            served: list[int] = []

            async def take(number: int) -> None:
                async with room.engine.lease(room.target()):
                    served.append(number)

            async with room.engine.lease(room.target()):
                tasks = []
                for number in range(5):
                    tasks.append(asyncio.ensure_future(take(number)))
                    await asyncio.sleep(0)
            await asyncio.gather(*tasks)
            return served

        assert inside(work, pool_size=1) == [0, 1, 2, 3, 4]

    def test_who_gives_up_waiting_takes_nothing(self, inside: Inside) -> None:
        async def work(room: Room) -> None:
            for _ in range(20):
                async with room.engine.lease(room.target()):
                    waiting = asyncio.ensure_future(room.rows("SELECT 1"))
                    await asyncio.sleep(0)
                await ends(waiting)
            await room.settled()
            assert await room.rows("SELECT 1 AS one") == [(1,)]

        inside(work, pool_size=1)

    @pytest.mark.needs("reset")
    def test_the_cap_over_all_makes_room_from_idle_ones(self, inside: Inside) -> None:
        async def work(room: Room) -> None:
            for name in "abc":
                await room.rows("SELECT 1", target=room.target(name))
                await room.settled()
            assert sum(count.idle for count in room.engine.sessions().values()) == 2
            async with room.engine.lease(room.target("a")), room.engine.lease(room.target("b")):
                with pytest.raises(errors.Saturated, match="MOORINGS_MAX_SESSIONS"):
                    await room.rows("SELECT 1", target=room.target("c"))

        inside(work, max_sessions=2, pool_wait_seconds=0.2)

    def test_tests_have_places_of_their_own(self, inside: Inside, warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            async with room.engine.lease(room.target()):
                assert (await room.engine.test(warehouse.dialect, warehouse.config())).success

        inside(work, max_sessions=1, pool_wait_seconds=0.2)

    def test_the_event_loop_is_never_blocked(self, inside: Inside) -> None:
        async def work(room: Room) -> float:
            tasks = [asyncio.ensure_future(hold(room, "busy")) for _ in range(2)]
            longest = 0.0
            for _ in range(100):
                began = time.perf_counter()
                await asyncio.sleep(0.005)
                longest = max(longest, time.perf_counter() - began)
            for task in tasks:
                await ends(task)
            return longest

        assert inside(work) < 0.5


class TestLives:
    @pytest.mark.needs("reset")
    def test_a_session_is_used_again(self, inside: Inside, warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            found = set()
            for _ in range(3):
                async with room.engine.lease(room.target()) as lease:
                    found.add(lease.session_id)
                await room.settled()
            assert len(found) == 1
            assert {each: (n.idle, n.in_use) for each, n in room.engine.sessions().items()} == {"one": (1, 0)}

        inside(work)

    def test_an_idle_one_is_closed(self, inside: Inside) -> None:
        async def work(room: Room) -> None:
            await room.rows("SELECT 1")
            async with asyncio.timeout(5):
                while room.engine.sessions():  # noqa: ASYNC110  # timers tell nobody
                    await asyncio.sleep(0.02)

        inside(work, pool_idle_seconds=0.2)

    def test_an_old_one_is_replaced(self, inside: Inside) -> None:
        async def work(room: Room) -> None:
            await room.rows("SELECT 1")
            async with asyncio.timeout(5):
                while room.engine.sessions():  # noqa: ASYNC110  # timers tell nobody
                    await asyncio.sleep(0.02)
            assert await room.rows("SELECT 1 AS one") == [(1,)]

        inside(work, pool_lifetime_seconds=0.2)

    @pytest.mark.needs("session kill")
    def test_a_broken_one_is_replaced_unseen(self, inside: Inside, warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            async with room.engine.lease(room.target()) as lease:
                session_id = lease.session_id
            await room.settled()
            await asyncio.to_thread(warehouse.kill, session_id)
            await asyncio.sleep(2.2)  # an idle session is tried before it is used
            async with room.engine.lease(room.target()) as lease:
                assert lease.session_id != session_id
            assert await room.rows("SELECT 1 AS one") == [(1,)]

        inside(work, pool_size=1)

    @pytest.mark.needs("session kill", "sql", "replaced sessions")
    @pytest.mark.parametrize("read_only", [True, False])
    def test_one_that_was_closed_a_moment_ago_is_replaced_too(
        self, inside: Inside, warehouse: Warehouse, read_only: bool
    ) -> None:
        async def work(room: Room) -> None:
            target = room.target(readOnly=read_only)
            async with room.engine.lease(target) as lease:
                session_id = lease.session_id
            await room.settled()
            await asyncio.to_thread(warehouse.kill, session_id)
            assert await room.rows("SELECT 1 AS one", target=target, read_only=read_only) == [(1,)]

        inside(work, pool_size=1)

    @pytest.mark.needs("reset")
    def test_new_credentials_close_the_old_sessions(self, inside: Inside) -> None:
        async def work(room: Room) -> None:
            async with room.engine.lease(room.target(revision=1)):
                await room.rows("SELECT 1", target=room.target(revision=1))
                await room.settled_but(1)
                await room.rows("SELECT 1", target=room.target(revision=2))
                await room.settled_but(1)
                assert room.engine.sessions()["one"].idle == 1
            await room.settled()
            assert room.engine.sessions()["one"].idle == 1
            await room.rows("SELECT 1", target=room.target(revision=1))  # read just before the change
            await room.settled()
            assert room.engine.sessions()["one"].idle == 1

        inside(work)

    @pytest.mark.needs("reset")
    def test_dropping_closes_idle_ones_now_and_leased_ones_later(self, inside: Inside) -> None:
        async def work(room: Room) -> None:
            async with room.engine.lease(room.target()):
                await room.rows("SELECT 1")
                await room.settled_but(1)
                await room.engine.drop("one")
                count = room.engine.sessions()["one"]
                assert (count.idle, count.in_use) == (0, 1)
            await room.settled()
            assert room.engine.sessions() == {}

        inside(work)

    @pytest.mark.needs("server")
    def test_a_login_that_is_abandoned_leaves_no_session(self, inside: Inside, warehouse: Warehouse) -> None:
        async def work(room: Room) -> None:
            for number in range(20):
                task = asyncio.ensure_future(room.engine.test(warehouse.dialect, warehouse.config()))
                await asyncio.sleep(number / 500)
                with contextlib.suppress(asyncio.CancelledError):
                    task.cancel()
                    await task
            await room.settled()
            assert room.engine.sessions() == {}

        inside(work)
