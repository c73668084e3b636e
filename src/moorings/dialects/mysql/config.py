"""What a MySQL connection needs."""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.config.fields import Port
from moorings.dialects.config.needs import Need, always
from moorings.dialects.config.tls import OptionalTlsConfig


class FamilyConfig(OptionalTlsConfig, frozen=True):
    """What a connection of the MySQL family needs, and how it uses TLS."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "username")

    port: Port | None = 3306

    @classmethod
    def usual_schema(cls, database: str | None) -> str:
        """The default database, which is all that a schema is here."""
        return database or ""

    @property
    def default_database(self) -> str | None:
        """The database of names that are written without one: `database`, else `default_schema`."""
        return self.database or self.default_schema


class Config(FamilyConfig, frozen=True):
    """What a MySQL connection needs."""

    dialect: Literal["mysql"] = "mysql"
