"""Reads the tables of a warehouse as they are now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from moorings.dialects.introspection import Scope, Table
from moorings.engine.service import Engine, Target

T = TypeVar("T")


async def introspect(
    engine: Engine, target: Target, schemas: tuple[str, ...], encode: Callable[[Sequence[Table]], T]
) -> T:
    """Read tables, columns and keys through a session; `encode` runs in its thread, since there may be thousands.

    `schemas` are patterns that replace the connection's own; without them, the connection's own are used. Raises
    Saturated or WarehouseError.
    """
    scope = Scope.of(target.config).within(schemas)
    async with engine.lease(target) as lease:
        return await lease.ask(lambda session: encode(session.tables(scope)), target.config.query_timeout_seconds)
