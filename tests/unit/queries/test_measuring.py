"""How the end of a query is counted."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from moorings.errors import QueryCancelled, QueryTimeout, StatementRefused
from moorings.queries.measuring import measured
from moorings.telemetry import metrics


def counted(dialect: str) -> dict[str, float]:
    """Outcome → queries of a dialect."""
    (family,) = metrics.query_seconds.collect()
    return {
        sample.labels["outcome"]: sample.value
        for sample in family.samples
        if sample.name.endswith("_count") and sample.labels["dialect"] == dialect
    }


@pytest.mark.parametrize(
    ("raised", "ended", "outcome"),
    [
        (None, True, "completed"),
        (None, False, "cancelled"),
        (QueryTimeout(1), False, "timeout"),
        (QueryCancelled(), False, "cancelled"),
        (asyncio.CancelledError(), False, "cancelled"),
        (StatementRefused("no"), False, "failed"),
        (RuntimeError(), True, "failed"),
    ],
)
def test_outcome(raised: BaseException | None, ended: bool, outcome: str, request: pytest.FixtureRequest):
    dialect = request.node.name
    query: Any = SimpleNamespace(id="q", ended=ended, row_count=0, byte_count=0, traceparent="")
    target: Any = SimpleNamespace(
        dialect=SimpleNamespace(name=dialect), config=SimpleNamespace(database=None), connection_id="c"
    )
    with contextlib.suppress(BaseException), measured(query, target):
        if raised is not None:
            raise raised
    assert counted(dialect) == {outcome: 1}
