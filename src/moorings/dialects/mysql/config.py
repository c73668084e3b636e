"""The settings of a MySQL connection."""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.config.fields import Port
from moorings.dialects.config.needs import Need, always
from moorings.dialects.config.tls import OptionalTlsConfig


class FamilyConfig(OptionalTlsConfig, frozen=True):
    """The settings of a connection of the MySQL family, with its use of TLS."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "username")

    port: Port | None = 3306

    @classmethod
    def usual_schema(cls, database: str | None) -> str:
        """The default schema, which is a database here."""
        return database or ""

    @property
    def default_database(self) -> str | None:
        """The database of names without one: `database`, else `default_schema`."""
        return self.database or self.default_schema


class Config(FamilyConfig, frozen=True):
    """The settings of a MySQL connection."""

    dialect: Literal["mysql"] = "mysql"
