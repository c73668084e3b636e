"""SQLite's errors as ours."""

from __future__ import annotations

from collections.abc import Mapping

from moorings import errors

FAULTS: Mapping[str, errors.WarehouseError] = {
    "unable to open database file": errors.DatabaseNotFound("database"),
    "interrupted": errors.QueryCancelled(),
    "attempt to write a readonly database": errors.ReadOnly(),
    "binding": errors.ParametersRefused(),
    "statement": errors.StatementRefused(),
}
"""SQLite's message, or a word for what it is about."""
