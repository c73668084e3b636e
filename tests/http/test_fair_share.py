"""Fair share: no key and no user holds every session, and whoever waits is served by what they hold already."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from sqlalchemy import select

from moorings.access import service as access
from moorings.queries.models import RunningQuery
from tests.conftest import API

MEMORY = {"dialect": "duckdb", "name": "memory", "database": ":memory:"}
JSON = "application/json"
SLOW = "SELECT count(*) FROM range(3000000) a WHERE a.range % 7 = 1"
ENDLESS = "SELECT count(*) FROM range(100000000000) a, range(100000) b"
BURST = 60


def keys(service: Any, number: int) -> list[str]:
    """Personal keys of one user."""

    async def making(session: Any) -> list[str]:
        organization = await access.the_organization(session)
        user = await access.create_user(session, organization, f"{uuid.uuid4()}@example.com", "U", admin=True)
        return [await access.create_key(session, organization, "k", user.id) for _ in range(number)]

    return service.change(making)


async def ask(service: Any, connection_id: str, key: str, sql: str, seconds: int = 60) -> Any:
    headers = {"authorization": f"Bearer {key}", "accept": JSON}
    body = {"sql": sql, "timeoutSeconds": seconds}
    return await service.client.post(f"{API}/connections/{connection_id}/query", json=body, headers=headers)


def test_a_burst_of_one_key_delays_another_key_by_a_part_of_it(serve: Any):
    service = serve(pool_size=2, pool_wait_seconds=60)
    connection_id, (loud,), (quiet,) = service.create(**MEMORY), keys(service, 1), keys(service, 1)
    order: list[str] = []

    async def one(key: str) -> None:
        assert (await ask(service, connection_id, key, SLOW)).status_code == 200
        order.append(key)

    async def both() -> None:
        await ask(service, connection_id, quiet, SLOW)
        burst = [asyncio.ensure_future(one(loud)) for _ in range(BURST)]
        await asyncio.wait(burst, return_when=asyncio.FIRST_COMPLETED)
        await one(quiet)
        await asyncio.gather(*burst)

    service.run(both())
    # It would be the last one if arrival alone decided. Some of the burst ended while it was on its way.
    assert order.index(quiet) < BURST * 3 / 4


@pytest.mark.parametrize(
    ("setting", "whose", "what"),
    [("max_sessions_per_key", (0, 0), "one key"), ("max_sessions_per_user", (0, 1), "one user")],
)
def test_the_share_of_one_is_not_all(serve: Any, setting: str, whose: tuple[int, int], what: str):
    service = serve(pool_size=5, pool_wait_seconds=0, **{setting: 1})
    connection_id, theirs, (other,) = service.create(**MEMORY), keys(service, 2), keys(service, 1)
    first, second = (theirs[place] for place in whose)

    async def beside() -> tuple[Any, Any]:
        running = asyncio.ensure_future(ask(service, connection_id, first, ENDLESS, seconds=2))
        while not await service.database.finds(select(RunningQuery.id)):  # noqa: ASYNC110  # the service writes it
            await asyncio.sleep(0.02)
        refused = await ask(service, connection_id, second, "SELECT 1")
        allowed = await ask(service, connection_id, other, "SELECT 1")
        assert (await running).status_code == 504
        return refused, allowed

    refused, allowed = service.run(beside())
    assert allowed.status_code == 200
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    detail = refused.json()["detail"]
    assert detail.startswith(f"All sessions that {what} may have are in use.")
    assert detail.endswith(f"MOORINGS_{setting.upper()}")
