"""The way of a query into its session's thread and back: what is cancelled before, and rows that come early."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from moorings import dialects
from moorings.dialects.base import Statement
from moorings.engine.service import Engine, Target
from moorings.errors import QueryCancelled, WarehouseError
from moorings.queries.query import SMALL_BYTES, Query, QueryRequest, RowLimit
from moorings.settings import Settings

SCHEMA = pa.schema([("n", pa.int64())])


class Rows:
    """Takes the place of an encoder: a batch is as many bytes, and waits for its turn."""

    exact = pending = False

    def __init__(self, size: int = 1, gates: int = 0) -> None:
        self.size = size
        self.gates = [threading.Event() for _ in range(gates)]
        self.seen = 0

    def start(self, schema: pa.Schema) -> bytes:
        return b"["

    def batch(self, batch: pa.RecordBatch) -> bytes:
        if self.seen < len(self.gates):
            self.gates[self.seen].wait(10)
        self.seen += 1
        return b"x" * self.size

    def end(self, *, truncated: bool, row_count: int) -> bytes:
        return b"]"


def on_a_lease(tmp_path: Path, act: Any) -> Any:
    """Act with a lease of a session in memory."""
    config = dialects.read({"dialect": "duckdb", "name": "m", "database": ":memory:"})

    async def acting() -> Any:
        engine = Engine(Settings(_env_file=None, data_dir=tmp_path))
        try:
            async with engine.lease(Target("one", 1, dialects.named("duckdb"), config)) as lease:
                return await act(lease)
        finally:
            await engine.close()

    return asyncio.run(acting())


def test_a_cancel_that_comes_first_keeps_the_statement_from_running(tmp_path: Path) -> None:
    async def act(lease: Any) -> None:
        await lease.cancel()
        with pytest.raises(QueryCancelled):
            lease.begin(Statement("SELECT 1"), lambda schema, read: read())

    on_a_lease(tmp_path, act)


TWO_BATCHES = QueryRequest("SELECT range FROM range(20000)")


def test_a_small_result_is_whole_at_once(tmp_path: Path) -> None:
    async def act(lease: Any) -> tuple[bytes, bool]:
        query = Query("id", lease, 60, RowLimit(100_000))
        query.begin(TWO_BATCHES, encoder := Rows(), read_only=True)
        return await query.first(encoder), query.ended

    rows, _ = on_a_lease(tmp_path, act)
    assert rows.startswith(b"[x")


@pytest.mark.parametrize("size", [1, SMALL_BYTES])
def test_first_rows_do_not_wait_for_what_follows(tmp_path: Path, size: int) -> None:
    """The second batch comes only once the first one was handed out."""
    encoder = Rows(size, gates=2)
    encoder.gates[0].set()

    async def act(lease: Any) -> list[bytes]:
        query = Query("id", lease, 60, RowLimit(100_000))
        query.begin(TWO_BATCHES, encoder, read_only=True)
        await query.soon()
        parts = [await query.first(encoder)]
        encoder.gates[1].set()
        while (rows := await query.next(encoder)) is not None:
            parts.append(rows)
        return parts

    parts = on_a_lease(tmp_path, act)
    assert parts[0] == b"[" + b"x" * size
    assert b"".join(parts) == b"[" + b"x" * size * encoder.seen + b"]"
    assert encoder.seen > 1


def test_a_failure_behind_the_first_rows_is_raised_by_what_follows(tmp_path: Path) -> None:
    encoder = Rows(gates=1)
    failing = QueryRequest("SELECT CASE WHEN range < 18000 THEN 1 ELSE error('x')::INTEGER END FROM range(20000)")

    async def everything(query: Query) -> None:
        await query.first(encoder)
        while await query.next(encoder) is not None:
            pass

    async def act(lease: Any) -> None:
        query = Query("id", lease, 60, RowLimit(100_000))
        encoder.gates[0].set()
        query.begin(failing, encoder, read_only=True)
        with pytest.raises(WarehouseError):
            await everything(query)

    on_a_lease(tmp_path, act)
