"""What a process keeps in memory: never past a change, and never more than so much."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from moorings.db import CACHE_BYTES, Database


class Counting:
    """A loader that counts how often it was asked."""

    def __init__(self, value: Any = b"[]") -> None:
        self.value = value
        self.calls = 0

    async def __call__(self) -> Any:
        self.calls += 1
        return self.value


@pytest.fixture
def database(tmp_path) -> Database:
    return Database(f"sqlite+aiosqlite:///{tmp_path / 'moorings.db'}")


def cached(database: Database, key: Any, version: int, load: Counting) -> Any:
    return asyncio.run(database.cached(key, version, load))


class TestKept:
    def test_is_loaded_once_a_version(self, database):
        load = Counting()
        for version in (1, 1, 2, 2, 1):
            cached(database, "key", version, load)
        assert load.calls == 3, "what was kept of an older version is gone for good"

    def test_what_failed_is_not_kept(self, database):
        async def failing() -> Any:
            raise LookupError

        for _ in "ab":
            with pytest.raises(LookupError):
                asyncio.run(database.cached("key", 1, failing))

    @pytest.mark.parametrize(
        ("key", "value"), [(b"", b""), (b"k" * 60_000, b""), (b"", b"v" * 60_000), (b"", object())]
    )
    def test_is_bounded_whatever_keys_and_values_are(self, database, key, value):
        async def keeping() -> int:
            size = max(500, len(key), len(value) if isinstance(value, bytes) else 0)
            load = Counting(value)
            for number in range(CACHE_BYTES // size + 10):
                await database.cached((number, key), 1, load)
            first = Counting(value)
            await database.cached((0, key), 1, first)
            return first.calls

        assert asyncio.run(keeping()) == 1, "the first one had to go"

    def test_what_is_used_stays(self, database):
        async def keeping() -> int:
            used, other = Counting(), Counting(b"v" * 1_000_000)
            for number in range(100):
                await database.cached("used", 1, used)
                await database.cached(number, 1, other)
            return used.calls

        assert asyncio.run(keeping()) == 1
