"""Metrics and traces of a query."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator

from moorings import clock
from moorings.engine.service import Target
from moorings.errors import QueryCancelled, QueryTimeout
from moorings.queries.query import Query
from moorings.telemetry import metrics, tracing


@contextlib.contextmanager
def measured(query: Query, target: Target) -> Generator[None]:
    """Time a query for the block, and trace it: its statement carries the span's name to the warehouse."""
    dialect, began = target.dialect.name, clock.monotonic()
    span = tracing.begin(
        "warehouse",
        "client",
        db__system__name=dialect,
        db__namespace=target.config.database or "",
        moorings__query_id=query.id,
        moorings__connection_id=target.connection_id,
    )
    query.traceparent = tracing.traceparent(span)
    failure: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        failure = raised
        raise
    finally:
        metrics.query_seconds.labels(dialect, _outcome(query, failure)).observe(clock.monotonic() - began)
        metrics.query_rows.labels(dialect).inc(query.row_count)
        metrics.query_bytes.labels(dialect).inc(query.byte_count)
        tracing.end(span, failure, moorings__rows=query.row_count)


def _outcome(query: Query, failure: BaseException | None) -> str:
    if isinstance(failure, QueryTimeout):
        return "timeout"
    if isinstance(failure, QueryCancelled | asyncio.CancelledError):
        return "cancelled"
    if failure is not None:
        return "failed"
    return "completed" if query.ended else "cancelled"
