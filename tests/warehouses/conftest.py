"""What tests of one dialect ask of its warehouse, past the suite; each of their files has its own `warehouse`."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from moorings import errors
from moorings.dialects.base import Session, SessionContext
from moorings.engine.service import TestReport
from moorings.testing.engines import Warehouse
from moorings.testing.room import run_inside


@pytest.fixture
def inside(warehouse: Warehouse) -> Callable[..., Any]:
    """Run `work(room)` with an engine of the given settings; nothing of it may be left afterwards."""
    return functools.partial(run_inside, warehouse)


@pytest.fixture
def probe(warehouse: Warehouse) -> Callable[..., TestReport]:
    """Test a connection that differs from the one that works; `settings` are the operator's."""

    def probing(settings: Mapping[str, Any] | None = None, **changes: Any) -> TestReport:
        config = warehouse.config(**changes)
        return run_inside(warehouse, lambda room: room.engine.test(warehouse.dialect, config), **(settings or {}))

    return probing


@pytest.fixture
def rows(warehouse: Warehouse) -> Callable[..., list[tuple[Any, ...]]]:
    """Run one statement; returns its rows. `changes` are to the connection."""

    def running(sql: str, *parameters: Any, changes: Mapping[str, Any] | None = None, **how: Any) -> Any:
        return run_inside(
            warehouse, lambda room: room.rows(sql, *parameters, target=room.target(**(changes or {})), **how)
        )

    return running


@pytest.fixture
def session(warehouse: Warehouse) -> Iterator[Callable[..., Session]]:
    """Log in without an engine, with changes to the connection that works."""
    with contextlib.ExitStack() as stack:

        def opening(**changes: Any) -> Session:
            opened = warehouse.dialect.connect(warehouse.config(**changes), SessionContext(3, **warehouse.settings))
            stack.callback(opened.close)
            return opened

        yield opening


@pytest.fixture
def refusal(warehouse: Warehouse) -> Callable[[Callable[[], Any]], errors.WarehouseError]:
    """What a call raises, as our error."""

    def refusing(work: Callable[[], Any]) -> errors.WarehouseError:
        with pytest.raises(Exception) as raised:  # noqa: PT011  # drivers raise what they like
            work()
        return warehouse.dialect.translate(raised.value, [])

    return refusing
