"""Databricks Lakebase, which is PostgreSQL run by Databricks.

Driver: those of PostgreSQL. Login: user name and password; an OAuth token is given as the password and expires within
the hour. Connections are stored and checked, but not opened yet. Source: https://docs.databricks.com/aws/en/oltp/.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from moorings.dialects.base import Dialect as BaseDialect
from moorings.dialects.fields import Port, SslMode
from moorings.dialects.required import Need, always
from moorings.dialects.tls import TlsConfig


class Config(TlsConfig, frozen=True):
    """What a Lakebase connection needs, and how it uses TLS."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "database", "username")

    dialect: Literal["databricks_lakebase"] = "databricks_lakebase"
    port: Port | None = 5432
    ssl_mode: SslMode = "require"


class DatabricksLakebase(BaseDialect):
    """Databricks Lakebase."""

    name = "databricks_lakebase"
    title = "Databricks Lakebase"
    Config = Config
