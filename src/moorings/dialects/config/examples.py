"""A request body that creates a connection, for the API pages: what the dialect always requires, filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moorings.dialects.config.connection import ConnectionConfig

USUAL: Mapping[str, object] = {
    "name": "Sales",
    "passwordUnencrypted": "the password",
    "host": "db.example.com",
    "database": "sales",
    "username": "moorings",
    "defaultSchema": "analytics",
    "acceptsLicense": True,
}
"""The examples of fields that mean the same in most dialects."""


def example(config: type[ConnectionConfig]) -> dict[str, object]:
    """A body that the dialect accepts, with its first way to log in. A dialect's EXAMPLE wins over the usual values."""
    values = {"dialect": config.default("dialect"), **USUAL, **config.EXAMPLE}
    first_login = config.LOGINS[0].requires
    needed = {need.field for need in config.needs() if not need.when} | set(first_login) | {"dialect", "name"}
    return {
        wire: values[wire] for field in config.model_fields if field in needed and (wire := config.wire_name(field))
    }
