"""Exasol.

Driver: pyexasol (no extra yet). Login: user name and password. Connections are stored and checked, but not opened yet.
Source: https://docs.exasol.com/db/latest/connect_exasol/drivers/python/pyexasol.htm.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.fields import Port
from moorings.dialects.required import Need, always


class Config(ConnectionConfig, frozen=True):
    """What an Exasol connection needs."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "username")

    dialect: Literal["exasol"] = "exasol"
    port: Port | None = 8563


class Exasol(BaseDialect):
    """Exasol."""

    name = "exasol"
    title = "Exasol"
    Config = Config
