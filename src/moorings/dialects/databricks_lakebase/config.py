"""The settings of a Lakebase connection."""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.config.fields import Port, SslMode
from moorings.dialects.config.needs import Need, always
from moorings.dialects.config.tls import TlsConfig


class Config(TlsConfig, frozen=True):
    """The settings of a Lakebase connection, with its use of TLS."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "database", "username")

    USUAL_SCHEMA: ClassVar[str] = "public"

    dialect: Literal["databricks_lakebase"] = "databricks_lakebase"
    port: Port | None = 5432
    ssl_mode: SslMode | None = "verify-full"
