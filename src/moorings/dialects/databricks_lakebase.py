"""Databricks Lakebase, which is PostgreSQL run by Databricks.

Driver: that of PostgreSQL (extra `databricks-lakebase`). Login: user name and password; the password is that of a role,
or an OAuth token, which expires within the hour. Limits: those of PostgreSQL; a token is not renewed, so a pool can log
in no more once it expired. Source: https://docs.databricks.com/aws/en/oltp/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal

from moorings import errors
from moorings.dialects.fields import Port, SslMode
from moorings.dialects.postgres import Postgres
from moorings.dialects.postgres_faults import FAULTS
from moorings.dialects.required import Need, always
from moorings.dialects.tls import TlsConfig

EXPIRED = errors.LoginRefused(
    "username",
    "password",
    message="Lakebase refused the login. A password that is an OAuth token expires within the hour, and belongs to "
    "the user name: give a fresh one, or the password of a native role.",
)


class Config(TlsConfig, frozen=True):
    """What a Lakebase connection needs, and how it uses TLS."""

    REQUIRED: ClassVar[tuple[Need, ...]] = always("host", "database", "username")

    dialect: Literal["databricks_lakebase"] = "databricks_lakebase"
    port: Port | None = 5432
    ssl_mode: SslMode | None = "verify-full"


class DatabricksLakebase(Postgres):
    """Databricks Lakebase."""

    name = "databricks_lakebase"
    title = "Databricks Lakebase"
    extra = "databricks-lakebase"
    abilities = replace(Postgres.abilities, probed=False)
    Config = Config
    FAULTS: ClassVar[Mapping[str, errors.WarehouseError]] = {**FAULTS, "28": EXPIRED, "28P01": EXPIRED}
