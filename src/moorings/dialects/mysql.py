"""MySQL.

Driver: asyncmy (extra `mysql`). Login: user name and password (native, or caching SHA-2 over TLS). Limits: a schema
is a database here. Source: https://dev.mysql.com/doc/refman/8.4/en/connection-options.html.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.base import Abilities
from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.fields import Port
from moorings.dialects.required import Need, always
from moorings.dialects.tls import TlsConfig


class FamilyConfig(TlsConfig, frozen=True):
    """What a connection of the MySQL family needs, and how it uses TLS."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "username")

    port: Port | None = 3306

    @property
    def default_database(self) -> str | None:
        """The database of names that are written without one: `database`, else `default_schema`."""
        return self.database or self.default_schema


class Config(FamilyConfig, frozen=True):
    """What a MySQL connection needs."""

    dialect: Literal["mysql"] = "mysql"


class MySQL(BaseDialect):
    """MySQL."""

    name = "mysql"
    title = "MySQL"
    extra = "mysql"
    abilities = Abilities(connects=True)
    PARAMETERS = "%s, %s"
    Config = Config
