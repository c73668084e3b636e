"""The settings of a PostgreSQL connection."""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.config.fields import Port
from moorings.dialects.config.needs import Need, always
from moorings.dialects.config.tls import OptionalTlsConfig


class Config(OptionalTlsConfig, frozen=True):
    """The settings of a PostgreSQL connection, with its use of TLS."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "database", "username")

    USUAL_SCHEMA: ClassVar[str] = "public"

    dialect: Literal["postgres"] = "postgres"
    port: Port | None = 5432
