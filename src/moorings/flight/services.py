"""The services that calls of Flight SQL use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moorings.access.key_uses import KeyUses
from moorings.access.limits import RateLimits
from moorings.db import Database
from moorings.engine.service import Engine
from moorings.queries.service import Queries
from moorings.secrets import Keyset
from moorings.settings import Settings


@dataclass(frozen=True, slots=True)
class FlightServices:
    """The services of the process that calls use."""

    settings: Settings
    db: Database
    keyset: Keyset
    engine: Engine
    limits: RateLimits
    key_uses: KeyUses
    queries: Queries
    note: Callable[[dict[str, Any]], None] | None
    """Writes a call's line to the log; None where such lines are off."""
