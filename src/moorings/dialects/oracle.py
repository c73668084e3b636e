"""Oracle Database.

Driver: oracledb in thin mode (no extra yet). Login: user name and password. Connections are stored and checked, but
not opened yet. `database` is the service name; the driver's licence has to be accepted. Source:
https://python-oracledb.readthedocs.io/.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.config import ConnectionConfig
from moorings.dialects.fields import Port
from moorings.dialects.required import Need, always


class Config(ConnectionConfig, frozen=True):
    """What an Oracle connection needs."""

    REQUIRED: ClassVar[tuple[Need, ...]] = (
        *always("host", "database", "username"),
        Need("accepts_license", accepted=True),
    )

    dialect: Literal["oracle"] = "oracle"
    port: Port | None = 1521


class Oracle(BaseDialect):
    """Oracle Database."""

    name = "oracle"
    title = "Oracle Database"
    Config = Config
